//! The picture of `docs/programs/ps-top.md`, from a real run. `scripts/picture` writes it; the test alone sees that it can be made.

use std::fmt::Write as _;
use std::fs;
use std::num::NonZero;
use std::path::Path;

use crate::home::Home;
use crate::pane::Pane;

/// The size of the terminal, and of one of its cells in pixels.
const SIZE: (u16, u16) = (80, 24);
const CELL: (u16, u16) = (8, 17);
/// How the colours of a terminal look in the picture: black, red, green, yellow.
const COLOURS: [&str; 4] = ["#1d1f21", "#e06c75", "#98c379", "#e5c07b"];
const PAPER: &str = "#1d1f21";
const INK: &str = "#d8dee9";

#[test]
fn a_picture_of_three_apps_one_of_which_was_given_up() {
    let home = Home::new();
    home.write("jobs/app.json", r#"{"formation": {"worker": {"restart_policy": "no"}}}"#);
    let busy = "web: while :; do i=0; while [ $i -lt 9000 ]; do i=$((i+1)); done; echo served 9000; sleep 0.3; done\n";
    let failing = "worker: echo started; sleep 2; echo 'Error: no such table: orders' >&2; exit 1\nclock: exec sleep 600\n";
    for (app, procfile, scale) in [
        ("blog", "web: echo listening; exec sleep 600\n", &["web=1"][..]),
        ("jobs", failing, &["worker=1", "clock=1"]),
        ("shop", busy, &["web=2"]),
    ] {
        let source = home.source(app, procfile);
        home.does(&[&["ps-lifecycle", "deploy", app, "--dir", &source, "--scale"], scale].concat());
    }
    let Some(pane) = Pane::run(&home, "ps-top") else { return };
    pane.has_line(&["worker.1", "crashed"]);
    // Seven bars: the screen has been there for some seconds.
    pane.is_as("the past of the CPU", |text| {
        text.lines().any(|line| line.chars().filter(|c| ('▂'..='█').contains(c)).count() > 11)
    });
    pane.types(&["/", "jobs", "Enter"]);
    pane.shows(&["Error: no such table"]);
    pane.types(&["Escape"]);
    pane.has_line(&["shop", "running"]);
    pane.shows(&["Error: no such table"]);
    let picture = svg(&pane.coloured());
    for word in ["crashed", "no such table", "<svg", "</svg>"] {
        assert!(picture.contains(word), "{word:?} is not in {picture}");
    }
    if std::env::var_os("FORMATION_RECORD").is_some() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/pictures/ps-top.svg");
        fs::write(path, picture).expect("written");
    }
}

/// A terminal's content as a picture: a text for each run of cells that look alike, as wide as its cells are.
fn svg(coloured: &str) -> String {
    let places = |count: u16| NonZero::new(count).expect("a terminal has places");
    let mut terminal = vt100::Parser::new(places(SIZE.1), places(SIZE.0), 0);
    terminal.process(coloured.trim_end().replace('\n', "\r\n").as_bytes());
    let (width, height) = (SIZE.0 * CELL.0 + 16, SIZE.1 * CELL.1 + 16);
    let mut picture = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"monospace\" font-size=\"13\">\n\
         <rect width=\"{width}\" height=\"{height}\" rx=\"6\" fill=\"{PAPER}\"/>\n"
    );
    for row in 0..SIZE.1 {
        let mut column = 0;
        while column < SIZE.0 {
            let look = look(&terminal, row, column);
            let begin = column;
            let mut text = String::new();
            while column < SIZE.0 && self::look(&terminal, row, column) == look {
                let cell = terminal.screen().cell(row, column).expect("a cell of the terminal");
                text.push_str(if cell.has_contents() { cell.contents() } else { " " });
                column += 1;
            }
            draw(&mut picture, (row, begin), &text, look);
        }
    }
    picture + "</svg>\n"
}

/// The colour of a cell, whether it is reversed, and whether it is bold.
fn look(terminal: &vt100::Parser, row: u16, column: u16) -> (&'static str, bool, bool) {
    let cell = terminal.screen().cell(row, column).expect("a cell of the terminal");
    let colour = match cell.fgcolor() {
        vt100::Color::Idx(index) => COLOURS.get(usize::from(index)).copied().unwrap_or(INK),
        vt100::Color::Default | vt100::Color::Rgb(..) => INK,
    };
    (colour, cell.inverse(), cell.bold())
}

fn draw(
    picture: &mut String,
    (row, column): (u16, u16),
    text: &str,
    (colour, is_reversed, is_bold): (&str, bool, bool),
) {
    let (x, y) = (8 + column * CELL.0, 8 + row * CELL.1);
    let width = u16::try_from(text.chars().count()).expect("a row of the terminal") * CELL.0;
    if is_reversed {
        let _ = writeln!(
            picture,
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{}\" fill=\"{colour}\"/>",
            CELL.1
        );
    }
    if text.trim().is_empty() {
        return;
    }
    let ink = if is_reversed { PAPER } else { colour };
    let weight = if is_bold { " font-weight=\"bold\"" } else { "" };
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let base = y + 13;
    let _ = writeln!(
        picture,
        "<text x=\"{x}\" y=\"{base}\" textLength=\"{width}\" xml:space=\"preserve\" fill=\"{ink}\"{weight}>{text}</text>"
    );
}
