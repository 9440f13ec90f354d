//! All keys.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Tone};

const KEYS: [(&str, &str); 18] = [
    ("up down j k", "choose; PgUp PgDn g G further"),
    ("Enter", "details, last exits, why (ps-explain)"),
    ("l", "logs of what is chosen; ! is stderr"),
    ("e", "events of the app"),
    ("Tab Esc", "between list and pane"),
    ("/", "filter: names and states; in logs, lines"),
    ("f", "follow the newest line, or stay"),
    ("w", "wrap long lines, or cut them"),
    ("s x r", "start, stop, restart; asks first"),
    ("+ -", "one instance more or less; asks first"),
    (":scale web=3", "type the counts"),
    (":restart web", "also start stop reload reset"),
    (":rebuild", "also rollback"),
    ("o", "what the last of these said"),
    ("Ctrl-Z", "to the shell; fg comes back"),
    ("q Ctrl-C", "quit"),
    ("", ""),
    ("", "The mouse is the terminal's: text can be selected."),
];

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    if area.height == 0 {
        return;
    }
    canvas.title(area, "keys");
    // On a small screen what everybody knows is left out at the end.
    for (y, (keys, does)) in (area.y + 1..area.bottom()).zip(KEYS) {
        canvas.put((area.x, y), 13, keys, Tone::Strong);
        canvas.put((area.x + 14, y), area.width.saturating_sub(14), does, Tone::Plain);
    }
}
