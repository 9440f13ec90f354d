//! The reactions to keys.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::command::{self, Command, Typed};
use crate::message::Effect;
use crate::model::{Model, Pane, Prompt, Question};
use crate::subject::Subject;

/// How many lines the page keys move in the list.
const PAGE: isize = 10;
/// More than the number of lines of any list.
const FAR: isize = 1 << 30;

/// Handles a key.
pub(crate) fn press(model: &mut Model, key: KeyEvent) -> Vec<Effect> {
    model.remark = None;
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => vec![Effect::Quit(0)],
            KeyCode::Char('z') => vec![Effect::Suspend],
            _ => Vec::new(),
        };
    }
    match std::mem::take(&mut model.prompt) {
        Prompt::None => plain(model, key.code),
        Prompt::Help => Vec::new(),
        Prompt::Filter { before } => filter(model, key.code, before),
        Prompt::Command(line) => typing(model, key.code, line),
        Prompt::Question(question) => answer(model, key.code, question),
    }
}

fn plain(model: &mut Model, key: KeyCode) -> Vec<Effect> {
    match key {
        KeyCode::Char('q') => return vec![Effect::Quit(0)],
        KeyCode::Char('?' | 'h') => model.prompt = Prompt::Help,
        KeyCode::Char('/') => {
            let before = shown_filter(model);
            model.prompt = Prompt::Filter { before };
        }
        KeyCode::Char(':') => model.prompt = Prompt::Command(String::new()),
        KeyCode::Char('l') => show(model, Pane::Logs),
        KeyCode::Char('e') => show(model, Pane::Events),
        KeyCode::Char('o') => show(model, Pane::Deed),
        KeyCode::Enter => return details(model),
        KeyCode::Char('f') => model.output.toggle_follow(),
        KeyCode::Char('w') => model.output.is_wrapped = !model.output.is_wrapped,
        KeyCode::Tab => model.is_in_pane = !model.is_in_pane,
        KeyCode::Esc if model.is_in_pane => model.is_in_pane = false,
        KeyCode::Esc => model.filter(""),
        KeyCode::Char('s') => ask(model, "start"),
        KeyCode::Char('x') => ask(model, "stop"),
        KeyCode::Char('r') => ask(model, "restart"),
        KeyCode::Char('+' | '=') => return ask_scale(model, 1),
        KeyCode::Char('-') => return ask_scale(model, -1),
        _ => go(model, key),
    }
    Vec::new()
}

/// Shows a pane and sends the keys there. If it is shown already, the list gets the keys back.
fn show(model: &mut Model, pane: Pane) {
    model.is_in_pane = !(model.is_in_pane && model.pane == pane);
    model.pane = pane;
}

fn details(model: &mut Model) -> Vec<Effect> {
    show(model, Pane::Details);
    model.down = 0;
    model.explained = None;
    model.list.subject().filter(|_| model.is_in_pane).map(Effect::Explain).into_iter().collect()
}

fn go(model: &mut Model, key: KeyCode) {
    let down = match key {
        KeyCode::Down | KeyCode::Char('j') => 1,
        KeyCode::Up | KeyCode::Char('k') => -1,
        KeyCode::PageDown | KeyCode::Char(' ') => PAGE,
        KeyCode::PageUp => -PAGE,
        KeyCode::End | KeyCode::Char('G') => FAR,
        KeyCode::Home | KeyCode::Char('g') => -FAR,
        _ => return,
    };
    match model.pane {
        _ if !model.is_in_pane => model.list.go(down, &model.fleet),
        Pane::Logs => model.output.scroll(-down),
        Pane::Events => model.past.scroll(-down),
        Pane::Details | Pane::Deed => model.down = model.down.saturating_add_signed(down),
    }
}

/// The filter of the list or the pane, whichever gets the keys.
fn shown_filter(model: &Model) -> String {
    let is_of_lines = model.is_in_pane && model.pane == Pane::Logs;
    if is_of_lines { model.output.filter.clone() } else { model.list.filter.clone() }
}

fn filter(model: &mut Model, key: KeyCode, before: String) -> Vec<Effect> {
    let mut text = shown_filter(model);
    match key {
        KeyCode::Enter => return Vec::new(),
        KeyCode::Esc => {
            model.filter(&before);
            return Vec::new();
        }
        KeyCode::Backspace => drop(text.pop()),
        KeyCode::Char(c) => text.push(c),
        // The list can be walked through while a filter is being typed.
        key => go(model, key),
    }
    model.filter(&text);
    model.prompt = Prompt::Filter { before };
    Vec::new()
}

fn typing(model: &mut Model, key: KeyCode, mut line: String) -> Vec<Effect> {
    match key {
        KeyCode::Esc => return Vec::new(),
        KeyCode::Enter => return typed(model, &line),
        KeyCode::Backspace if line.is_empty() => return Vec::new(),
        KeyCode::Backspace => drop(line.pop()),
        KeyCode::Char(c) => line.push(c),
        _ => (),
    }
    model.prompt = Prompt::Command(line);
    Vec::new()
}

fn typed(model: &mut Model, line: &str) -> Vec<Effect> {
    let subject = model.list.subject();
    match command::typed(line, subject.as_ref(), model.is_dokku) {
        Typed::Run(command) => {
            let question = Question { command: Some(command), plan: Vec::new(), scale: None };
            model.prompt = Prompt::Question(question);
        }
        Typed::Quit => return vec![Effect::Quit(0)],
        Typed::Help => model.prompt = Prompt::Help,
        Typed::Logs => (model.pane, model.is_in_pane) = (Pane::Logs, true),
        Typed::Events => (model.pane, model.is_in_pane) = (Pane::Events, true),
        Typed::Details => {
            model.is_in_pane = false;
            return details(model);
        }
        Typed::Filter(text) => model.filter(&text),
        Typed::Wrong(why) => model.remark = Some(why),
    }
    Vec::new()
}

fn ask(model: &mut Model, verb: &str) {
    match model.list.subject() {
        Some(subject) => {
            let command = Command::verb(model.is_dokku, verb, &subject, &[]);
            let question = Question { command: Some(command), plan: Vec::new(), scale: None };
            model.prompt = Prompt::Question(question);
        }
        None => model.remark = Some("no app is chosen".to_owned()),
    }
}

/// The type of the selected instance. For an app, its only type, or the one that clients connect to.
fn scaled_type(model: &Model, subject: &Subject) -> Option<String> {
    if let Some(slot) = &subject.slot {
        return Some(slot.process_type.to_string());
    }
    let rows = &model.fleet.apps.get(&subject.app)?.rows;
    let of = |name: &str| rows.iter().any(|row| row.process_type == name);
    let only = rows.first().filter(|first| rows.iter().all(|row| row.process_type == first.process_type));
    only.map(|row| row.process_type.clone())
        .or_else(|| of(formation::FIRST_TYPE).then(|| formation::FIRST_TYPE.to_owned()))
}

fn ask_scale(model: &mut Model, by: i32) -> Vec<Effect> {
    let Some(subject) = model.list.subject() else {
        model.remark = Some("no app is chosen".to_owned());
        return Vec::new();
    };
    let Some(process_type) = scaled_type(model, &subject) else {
        model.remark = Some(format!("choose an instance of {}: the app has several types", subject.app));
        return Vec::new();
    };
    foresee(model, &subject, process_type, by)
}

fn foresee(model: &mut Model, subject: &Subject, process_type: String, by: i32) -> Vec<Effect> {
    let plan = vec![format!("asking what {by:+} {process_type} would do")];
    model.prompt =
        Prompt::Question(Question { command: None, plan, scale: Some((process_type.clone(), by)) });
    vec![Effect::Foresee { app: subject.app.clone(), process_type, by }]
}

fn answer(model: &mut Model, key: KeyCode, question: Question) -> Vec<Effect> {
    match (key, question.scale, question.command) {
        (KeyCode::Char('y'), _, Some(command)) => {
            let deed = model.deeds.begin(command.clone(), model.now);
            vec![Effect::Do { deed, command }]
        }
        (KeyCode::Char(sign @ ('+' | '=' | '-')), Some((process_type, by)), _) => {
            let by = if sign == '-' { by - 1 } else { by + 1 };
            let Some(subject) = model.list.subject() else { return Vec::new() };
            foresee(model, &subject, process_type, by)
        }
        (KeyCode::Esc | KeyCode::Char('n' | 'q'), _, _) => Vec::new(),
        (_, scale, command) => {
            model.prompt = Prompt::Question(Question { command, scale, plan: question.plan });
            Vec::new()
        }
    }
}
