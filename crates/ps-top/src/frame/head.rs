//! The first line: a summary of all apps, and what is unknown.

use formation::State;
use ratatui::layout::Rect;

use super::canvas::{Canvas, Tone};
use super::text::time;
use crate::model::Model;

pub(crate) fn draw(model: &Model, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height == 0 {
        return;
    }
    let clock = time(model.now, &canvas.look.zone);
    let room = area.width.saturating_sub(9);
    let (text, tone) = match (&model.fleet.slow[..], &model.shortfall) {
        ([], None) => (sum(model), Tone::Strong),
        ([], Some(shortfall)) => (format!("{}; {shortfall}", sum(model)), Tone::Warning),
        (slow, _) => {
            let one = |(name, seconds): &(String, u64)| format!("{name} has not answered for {seconds} s");
            let slow: Vec<String> = slow.iter().map(one).collect();
            (format!("{}; {}", slow.join(", "), sum(model)), Tone::Bad)
        }
    };
    canvas.put((area.x, area.y), room, &text, tone);
    canvas.put_right((area.x, area.y), area.width, &clock, Tone::Weak);
}

fn sum(model: &Model) -> String {
    let apps = model.fleet.apps.len();
    let (running, all) = model.fleet.running();
    let s = if apps == 1 { "" } else { "s" };
    let count = |state: State| {
        let count = model.fleet.count(state);
        if count == 0 { String::new() } else { format!(", {count} {}", state.as_str()) }
    };
    let worse: String =
        [State::Crashed, State::Backoff, State::Unhealthy, State::Missing].map(count).concat();
    format!("{apps} app{s}, {running} of {all} run{worse}")
}
