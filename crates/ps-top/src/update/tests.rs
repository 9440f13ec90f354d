use formation::{AppName, State};
use jiff::Timestamp;
use ps_rows::StatusRow;
use ps_scheduler::Instance;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::update;
use crate::command::Command;
use crate::message::{Answer, Effect, Line, Message};
use crate::model::{Model, Prompt};
use crate::subject::Subject;

/// A model of two apps with three instances, after the first answers.
fn model() -> Model {
    let mut model = Model::new(Timestamp::UNIX_EPOCH, false);
    model.handle(Message::Apps(["blog", "shop"].map(|name| name.parse().expect("a name")).into()));
    for (app, slots) in [("blog", &["web.1"][..]), ("shop", &["web.1", "job.1"])] {
        let row = |slot: &&str| {
            let instance = Instance::new(slot.parse().expect("a slot"), State::Running);
            StatusRow::of("native", app, Instance { pid: Some(1), ..instance })
        };
        let rows = slots.iter().map(row).collect();
        let app = app.parse().expect("a name");
        let answer = Answer { app, scheduler: "native".to_owned(), rows, troubles: Vec::new() };
        model.handle(Message::Answer(Box::new(answer)));
    }
    model.settle();
    model
}

fn press(model: &mut Model, keys: &str) -> Vec<Effect> {
    let mut effects = Vec::new();
    for key in keys.chars() {
        let code = match key {
            '\n' => KeyCode::Enter,
            '\x1b' => KeyCode::Esc,
            '\x08' => KeyCode::Backspace,
            key => KeyCode::Char(key),
        };
        effects.extend(update(model, Message::Key(KeyEvent::new(code, KeyModifiers::NONE))));
        effects.extend(model.settle());
    }
    effects
}

fn subject(app: &str, slot: Option<&str>) -> Subject {
    let slot = slot.map(|slot| slot.parse().expect("a slot"));
    Subject { app: app.parse().expect("a name"), slot }
}

#[test]
fn nothing_is_done_before_it_was_asked_for() {
    for (key, command) in [
        ("s", "ps-lifecycle start shop web.1"),
        ("x", "ps-lifecycle stop shop web.1"),
        ("r", "ps-lifecycle restart shop web.1"),
    ] {
        let mut model = model();
        press(&mut model, "jjj");
        assert_eq!(model.list.subject(), Some(subject("shop", Some("web.1"))));
        assert_eq!(press(&mut model, key), []);
        let Prompt::Question(question) = &model.prompt else { panic!("{:?}", model.prompt) };
        assert_eq!(question.command.as_ref().map(ToString::to_string).as_deref(), Some(command));
        assert_eq!(press(&mut model, "z\n "), [], "only y says yes");
        assert!(matches!(press(&mut model, "y")[..], [Effect::Do { deed: 1, .. }]));
        assert_eq!(model.prompt, Prompt::None);
        assert_eq!(press(&mut model, &format!("{key}ny")), [], "no is no");
    }
}

#[test]
fn a_change_of_scale_shows_what_it_would_do_first() {
    let mut model = model();
    press(&mut model, "jjj");
    let app: AppName = "shop".parse().expect("a name");
    let foresee = |by| Effect::Foresee { app: app.clone(), process_type: "web".to_owned(), by };
    assert_eq!(press(&mut model, "+"), [foresee(1)]);
    assert_eq!(press(&mut model, "y"), [], "it is not known yet what it would do");
    assert_eq!(press(&mut model, "+"), [foresee(2)]);
    let command = Command::scale(false, "shop", &["web=3".to_owned()]);
    model.handle(Message::Foreseen { command: command.clone(), text: vec!["start web.2".to_owned()] });
    assert_eq!(press(&mut model, "y"), [Effect::Do { deed: 1, command }]);
}

#[test]
fn of_an_app_with_several_types_web_is_scaled_or_an_instance_must_be_chosen() {
    let mut model = model();
    let effects = press(&mut model, "jj+");
    assert!(
        matches!(&effects[..], [.., Effect::Foresee { process_type, by: 1, .. }] if process_type == "web"),
        "{effects:?}"
    );
}

#[test]
fn what_is_chosen_is_followed_and_earlier_lines_are_not_taken_for_its() {
    let mut model = model();
    let effects = press(&mut model, "j");
    let turn = model.turn;
    assert_eq!(effects, [Effect::Follow { turn, subject: subject("blog", Some("web.1")) }]);
    let line =
        |text: &str| vec![Line { at: None, slot: "web.1".to_owned(), is_err: false, text: text.to_owned() }];
    model.handle(Message::Lines { turn, lines: line("its own") });
    model.handle(Message::Lines { turn: turn - 1, lines: line("another's") });
    let seen: Vec<&str> = model.output.upwards().map(|line| line.text.as_str()).collect();
    assert_eq!(seen, ["its own"]);
    model.handle(Message::LinesEnded { turn: turn - 1, reason: "gone".to_owned() });
    assert_eq!(model.output.ended, None);
}

#[test]
fn what_could_not_be_followed_is_followed_once_something_runs_there() {
    let mut model = model();
    let turn = model.turn;
    model.handle(Message::LinesEnded { turn, reason: "not deployed".to_owned() });
    assert_eq!(model.settle(), []);
    let app: AppName = "blog".parse().expect("a name");
    let instance = Instance::new("web.1".parse().expect("a slot"), State::Running);
    let row = StatusRow { run: Some(1), ..StatusRow::of("native", "blog", instance) };
    let answer = || {
        Message::Answer(Box::new(Answer {
            app: app.clone(),
            scheduler: "native".to_owned(),
            rows: vec![row.clone()],
            troubles: Vec::new(),
        }))
    };
    model.handle(answer());
    assert_eq!(model.settle(), [Effect::Follow { turn: turn + 1, subject: subject("blog", None) }]);
    model.handle(answer());
    assert_eq!(model.settle(), []);
}

#[test]
fn a_filter_is_live_and_escape_brings_back_what_stood_there() {
    let mut model = model();
    press(&mut model, "/shop");
    assert_eq!((model.list.places.len(), model.list.filter.as_str()), (3, "shop"));
    press(&mut model, "\x08\x08\n");
    assert_eq!(model.list.filter, "sh");
    press(&mut model, "/x\x1b");
    assert_eq!((model.list.filter.as_str(), model.prompt.clone()), ("sh", Prompt::None));
    press(&mut model, "\x1b");
    assert_eq!(model.list.places.len(), 5, "escape in the list shows all again");
    press(&mut model, "l/error\n");
    assert_eq!((model.output.filter.as_str(), model.list.filter.as_str()), ("error", ""));
}

#[test]
fn commands_are_typed_asked_for_and_refused_in_words() {
    let mut model = model();
    press(&mut model, ":rebuild\n");
    assert!(
        matches!(&model.prompt, Prompt::Question(question) if question.command.as_ref().is_some_and(|command| command.to_string() == "ps-lifecycle rebuild blog"))
    );
    press(&mut model, "\x1b:destroy\n");
    assert!(
        model.remark.as_deref().is_some_and(|remark| remark.contains("no command")),
        "{:?}",
        model.remark
    );
    assert_eq!(press(&mut model, ":q\n"), [Effect::Quit(0)]);
    press(&mut model, ":\x08");
    assert_eq!(model.prompt, Prompt::None);
}

#[test]
fn details_ask_for_an_explanation_and_keys_of_the_pane_move_it() {
    let mut model = model();
    assert_eq!(press(&mut model, "\n"), [Effect::Explain(subject("blog", None))]);
    press(&mut model, "jjj");
    assert_eq!((model.down, model.list.at), (3, 0));
    model.handle(Message::Explained { subject: subject("blog", None), text: "well".to_owned() });
    press(&mut model, "\x1bj");
    assert_eq!(model.list.at, 1);
}

#[test]
fn control_keys_are_those_of_every_terminal() {
    let mut model = model();
    let control = |c| Message::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::CONTROL));
    assert_eq!(update(&mut model, control('c')), [Effect::Quit(0)]);
    assert_eq!(update(&mut model, control('z')), [Effect::Suspend]);
    assert_eq!(model.handle(Message::Quit(143)), [Effect::Quit(143)]);
}

#[test]
fn nothing_is_chosen_where_there_is_no_app_and_no_key_minds() {
    let mut model = Model::new(Timestamp::UNIX_EPOCH, false);
    for key in "sxr+-jkgG /a\x1b:stop\n\n?lewf\x1b".chars() {
        press(&mut model, &key.to_string());
    }
    assert_eq!(model.list.subject(), None);
}
