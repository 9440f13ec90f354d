//! Frames of a model that the tests make, as text, compared with recorded ones in `recorded/`. `FORMATION_RECORD=1` records
//! them again.

use std::fs;
use std::path::Path;

use formation::{Exit, State};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use ps_rows::StatusRow;
use ps_scheduler::{Instance, Limits};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::style::{Color, Modifier};

use super::*;
use crate::command::Command;
use crate::message::{Answer, Line, Message, Used};
use crate::subject::Subject;
use crate::update::update;

const NOW: &str = "2026-01-10T14:03:07Z";

fn look() -> Look {
    Look { has_colours: false, is_ascii: false, zone: TimeZone::UTC }
}

fn now() -> Timestamp {
    NOW.parse().expect("a time")
}

fn instance(slot: &str, state: State, run: u32) -> Instance {
    let is_alive = state.is_alive();
    Instance {
        run: Some(run.into()),
        release: Some(3),
        pid: is_alive.then_some(100 + run),
        port: Some(5000),
        since: Some(now() - jiff::SignedDuration::from_secs(i64::from(run) * 61)),
        restarts: Some(0),
        memory_bytes: is_alive.then_some(12 << 20),
        ..Instance::new(slot.parse().expect("a slot"), state)
    }
}

fn tell(model: &mut Model, app: &str, instances: Vec<Instance>, troubles: &[&str]) {
    let rows = instances.into_iter().map(|instance| StatusRow::of("native", app, instance)).collect();
    let (app, troubles) =
        (app.parse().expect("a name"), troubles.iter().map(|word| (*word).to_owned()).collect());
    let answer = Answer { app, scheduler: "native".to_owned(), rows, troubles };
    model.handle(Message::Answer(Box::new(answer)));
}

/// A healthy app, one with an instance that was given up, one that is being deployed, and one that was never deployed.
fn model() -> Model {
    let mut model = Model::new(now(), false);
    let names = ["blog", "jobs", "new", "shop"].map(|name| name.parse().expect("a name"));
    model.handle(Message::Apps(names.into()));
    tell(&mut model, "blog", vec![instance("web.1", State::Running, 1)], &[]);
    let limits = Some(Limits { memory_max: Some(64 << 20), ..Limits::default() });
    let crashed = Instance {
        last_exit: Some(Exit::Code(1)),
        restarts: Some(10),
        note: Some("it ended 11 times in a row".to_owned()),
        last_lines: vec!["Error: no such table".to_owned()],
        limits,
        ..instance("worker.1", State::Crashed, 17)
    };
    tell(
        &mut model,
        "jobs",
        vec![crashed, instance("worker.2", State::Running, 2)],
        &["no supervisor keeps jobs alive"],
    );
    tell(&mut model, "new", Vec::new(), &[]);
    let mut rolling = vec![
        instance("web.1", State::Running, 3),
        instance("web.1", State::Starting, 4),
        instance("web.2", State::Running, 5),
    ];
    rolling[0].role = Some(ps_rollout::Role::Current);
    rolling[1].role = Some(ps_rollout::Role::Incoming);
    tell(&mut model, "shop", rolling, &[]);
    for second in 0..30_u32 {
        let used = |pid, percent: u32| {
            let memory_bytes = u64::from(10 + second / 2) << 20;
            (pid, Used { cpu_percent: Some(f64::from(percent)), memory_bytes })
        };
        model.handle(Message::Used(vec![
            used(101, second * 3),
            used(102, 40),
            used(103, 100 * (second % 2)),
        ]));
    }
    model
}

fn press(model: &mut Model, keys: &str) {
    for key in keys.chars() {
        let code = if key == '\n' { KeyCode::Enter } else { KeyCode::Char(key) };
        update(model, Message::Key(KeyEvent::new(code, KeyModifiers::NONE)));
        model.settle();
    }
}

fn drawn(model: &mut Model, look: &Look, (width, height): (u16, u16)) -> Buffer {
    model.settle();
    let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("memory");
    let draw = |frame: &mut ratatui::Frame<'_>| {
        arrange(model, frame.area());
        super::draw(model, look, frame.buffer_mut());
    };
    terminal.draw(draw).expect("memory");
    terminal.backend().buffer().clone()
}

fn text(buffer: &Buffer) -> String {
    let row = |y: u16| {
        let cells = (0..buffer.area.width).filter_map(|x| buffer.cell((x, y)));
        cells.map(ratatui::buffer::Cell::symbol).collect::<String>().trim_end().to_owned() + "\n"
    };
    (0..buffer.area.height).map(row).collect()
}

/// Checks that the frame is the recorded one, in both sizes.
fn is_as_recorded(name: &str, model: &mut Model) {
    for size in [(80, 24), (40, 12)] {
        let text = text(&drawn(model, &look(), size));
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("src/frame/recorded/{name}-{}x{}.txt", size.0, size.1));
        if std::env::var_os("FORMATION_RECORD").is_some() {
            fs::write(&path, &text).expect("written");
        }
        let recorded = fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(text, recorded, "{}; this is drawn:\n{text}", path.display());
    }
}

fn lines() -> Vec<Line> {
    let line = |second: i64, slot: &str, is_err, text: &str| {
        let at = Some(now() - jiff::SignedDuration::from_secs(second));
        Line { at, slot: slot.to_owned(), is_err, text: text.to_owned() }
    };
    vec![
        line(9, "worker.1", false, "started"),
        line(8, "worker.1", true, "Error: no such table\x1b[2J"),
        line(7, "worker.2", false, &"a long line that does not fit ".repeat(4)),
    ]
}

#[test]
fn the_list_with_logs_below() {
    let mut model = model();
    press(&mut model, "jj");
    let turn = model.turn;
    model.handle(Message::Lines { turn, lines: lines() });
    is_as_recorded("list", &mut model);
}

#[test]
fn logs_that_are_wrapped() {
    let mut model = model();
    press(&mut model, "jjlw");
    let turn = model.turn;
    model.handle(Message::Lines { turn, lines: lines() });
    is_as_recorded("logs", &mut model);
}

#[test]
fn details_of_what_was_given_up() {
    let mut model = model();
    press(&mut model, "jjj\n");
    let slot = Some("worker.1".parse().expect("a slot"));
    let subject = Subject { app: "jobs".parse().expect("a name"), slot };
    let text = "worker.1 of jobs is down, and given up. What to do: look at its last lines.".to_owned();
    model.handle(Message::Explained { subject, text });
    is_as_recorded("details", &mut model);
}

#[test]
fn memory_that_grows_steadily() {
    let mut model = model();
    model.handle(Message::Growing(vec![("blog/web.1".to_owned(), 60 << 20)]));
    press(&mut model, "j\n");
    is_as_recorded("growth", &mut model);
}

#[test]
fn a_deploy_that_goes_on() {
    let mut model = model();
    let entries = [
        r#""event":"asked","verb":"deploy","user":"root","arguments":["deploy","shop"]"#,
        r#""event":"planned","changes":[{"slots":"web.1-2","change":"replace","reason":"new release"}]"#,
    ];
    let entry = |event: &&str| {
        let text = format!(r#"{{"format":1,"at":"{NOW}","monotonic_ms":1,"boot":"b","act":"a",{event}}}"#);
        serde_json::from_str(&text).expect("an entry")
    };
    let app = "shop".parse().expect("a name");
    press(&mut model, "G");
    model.handle(Message::Events { app, entries: entries.iter().map(entry).collect() });
    press(&mut model, "\n");
    is_as_recorded("deploy", &mut model);
    press(&mut model, "e");
    is_as_recorded("events", &mut model);
}

#[test]
fn a_question_and_the_keys() {
    let mut model = model();
    press(&mut model, "j+");
    let command = Command::scale(false, "blog", &["web=2".to_owned()]);
    let text = vec!["web.1  keep".to_owned(), "web.2  start (missing)".to_owned()];
    model.handle(Message::Foreseen { command, text });
    is_as_recorded("question", &mut model);
    press(&mut model, "n?");
    is_as_recorded("keys", &mut model);
}

#[test]
fn a_scheduler_that_does_not_answer_is_named() {
    let mut model = model();
    let apps = vec!["shop".parse().expect("a name")];
    model.handle(Message::Silent {
        scheduler: "native".to_owned(),
        apps,
        reason: "the engine is away".to_owned(),
    });
    model.handle(Message::Slow(vec![("docker-local".to_owned(), 12)]));
    is_as_recorded("silent", &mut model);
}

#[test]
fn nothing_to_show() {
    is_as_recorded("nothing", &mut Model::new(now(), false));
}

#[test]
fn a_screen_of_any_size_is_drawn() {
    for prompt in ["", "?", "x", "jjj\n", "l", "e", "/q", ":q"] {
        for size in [(1, 1), (2, 2), (10, 3), (39, 5), (200, 60), (300, 2), (3, 100)] {
            let mut model = model();
            press(&mut model, prompt);
            drawn(&mut model, &look(), size);
        }
    }
}

#[test]
fn colours_add_nothing_that_words_do_not_say() {
    let mut model = model();
    let coloured = drawn(&mut model, &Look { has_colours: true, ..look() }, (80, 24));
    let plain = drawn(&mut model, &look(), (80, 24));
    assert_eq!(text(&coloured), text(&plain));
    let colours = |buffer: &Buffer| buffer.content().iter().filter(|cell| cell.fg != Color::Reset).count();
    assert!(colours(&coloured) > 0 && colours(&plain) == 0);
    let chosen = |buffer: &Buffer| {
        buffer.content().iter().filter(|cell| cell.modifier.contains(Modifier::REVERSED)).count()
    };
    assert_eq!(chosen(&plain), 80);
}

#[test]
fn ascii_is_all_that_is_drawn_where_only_that_can_be_had() {
    let mut model = model();
    press(&mut model, "jj");
    let turn = model.turn;
    let line =
        Line { at: None, slot: "worker.1".to_owned(), is_err: false, text: "naïve 日本".to_owned() };
    model.handle(Message::Lines { turn, lines: vec![line] });
    let drawn = text(&drawn(&mut model, &Look { is_ascii: true, ..look() }, (80, 24)));
    assert!(drawn.is_ascii() && drawn.contains("na?ve ??") && drawn.contains('#'), "{drawn}");
}
