//! The last line: the text that is being typed, the result of the last command, or the keys.

use jiff::Timestamp;
use ratatui::layout::Rect;

use super::canvas::{Canvas, Tone};
use super::text::harmless;
use crate::model::deeds::Deed;
use crate::model::{Model, Prompt};

/// For how many seconds the result of an action is shown.
const SAID: i64 = 20;
const KEYS: &str = "? keys  / filter  l logs  e events  Enter details  s x r + - act  : type  q quit";
const FEW_KEYS: &str = "? keys  / filter  l e Enter  q quit";

pub(crate) fn draw(model: &Model, canvas: &mut Canvas<'_>, area: Rect) {
    if area.height == 0 {
        return;
    }
    let (text, tone) = content(model, area.width);
    canvas.put((area.x, area.y), area.width, &text, tone);
}

fn content(model: &Model, width: u16) -> (String, Tone) {
    match &model.prompt {
        Prompt::Filter { .. } => {
            let in_logs = model.is_in_pane && model.pane == crate::model::Pane::Logs;
            let filter = if in_logs { &model.output.filter } else { &model.list.filter };
            return (format!("/{filter}_"), Tone::Strong);
        }
        Prompt::Command(line) => return (format!(":{line}_"), Tone::Strong),
        Prompt::Question(question) => {
            let more = if question.scale.is_some() { "  + - more or fewer" } else { "" };
            let yes = if question.command.is_some() { "y yes  " } else { "" };
            return (format!("{yes}n no{more}"), Tone::Strong);
        }
        Prompt::Help => return ("any key: back".to_owned(), Tone::Strong),
        Prompt::None => (),
    }
    if let Some(remark) = &model.remark {
        return (harmless(remark), Tone::Warning);
    }
    let recent = |deed: &&Deed| {
        deed.ended.as_ref().is_none_or(|(at, _)| model.now.as_second() - at.as_second() < SAID)
    };
    if let Some(deed) = model.deeds.last().filter(recent) {
        let (how, tone) = how(deed, model.now);
        return (format!("{}: {how}  (o: all)", deed.command), tone);
    }
    if !model.list.filter.is_empty() {
        return (format!("only what has \"{}\"; Esc: all", model.list.filter), Tone::Weak);
    }
    (if width >= 80 { KEYS } else { FEW_KEYS }.to_owned(), Tone::Weak)
}

/// The progress of a program that was started from here.
pub(crate) fn how(deed: &Deed, now: Timestamp) -> (String, Tone) {
    let seconds = |at: Timestamp| (at.as_second() - deed.began.as_second()).max(0);
    match &deed.ended {
        None => {
            let last =
                deed.lines.back().map(|line| format!(", {}", harmless(line.trim()))).unwrap_or_default();
            (format!("{} s{last}", seconds(now)), Tone::Warning)
        }
        Some((at, Ok(()))) => (format!("done in {} s", seconds(*at)), Tone::Good),
        Some((_, Err(why))) => (format!("failed: {}", harmless(why)), Tone::Bad),
    }
}
