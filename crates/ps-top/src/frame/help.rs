//! The help text for all keys.

use ratatui::layout::Rect;

use super::canvas::{Canvas, Tone};

/// Each text fits a terminal of 40 columns.
const KEYS: [(&str, &str); 18] = [
    ("up down j k", "choose; PgUp PgDn g G too"),
    ("Enter", "details, and why"),
    ("l", "logs; ! marks stderr"),
    ("e", "events of the app"),
    ("Tab Esc", "between list and pane"),
    ("/", "filter names, states, logs"),
    ("f", "follow the end, or stay"),
    ("w", "wrap long lines, or cut"),
    ("s x r", "start, stop, restart; asks"),
    ("+ -", "one more or fewer; asks"),
    (":scale web=3", "type the counts"),
    (":restart web", "or start stop reload reset"),
    (":rebuild", "also rollback"),
    ("o", "what the last one said"),
    ("Ctrl-Z", "to the shell; fg returns"),
    ("q Ctrl-C", "quit"),
    ("", ""),
    ("", "The mouse is the terminal's: text can be selected."),
];

pub(crate) fn draw(canvas: &mut Canvas<'_>, area: Rect) {
    if area.height == 0 {
        return;
    }
    canvas.title(area, "keys");
    // On a small screen the last lines are cut, which are the best known keys.
    for (y, (keys, does)) in (area.y + 1..area.bottom()).zip(KEYS) {
        canvas.put((area.x, y), 13, keys, Tone::Strong);
        canvas.put((area.x + 14, y), area.width.saturating_sub(14), does, Tone::Plain);
    }
}
