//! A terminal for each process, where somebody wants that.

use rustix::termios::{Winsize, tcsetwinsize};

use super::Source;
use super::terminal::Terminal;
use crate::rounds;

#[test]
fn a_process_finds_a_terminal_as_large_as_the_room_behind_its_name() {
    let source = Source::new(
        "web: trap 'stty size <&1' WINCH; test -t 1 && test -t 2 && ! test -t 0 && stty size <&1; \
         while :; do sleep 0.1; done\n",
    );
    let mut terminal = Terminal::start(&source, &["--pty", "--no-color", "--no-timestamp"]);
    terminal.await_screen("web.1 | 24 72");
    resize(&terminal, 50, 132);
    terminal.await_screen("web.1 | 50 124");
    terminal.press("\x03");
    assert!(terminal.end().0.success());
    assert_eq!(source.processes(), Vec::<u32>::new());
}

fn resize(terminal: &Terminal, rows: u16, columns: u16) {
    let size = Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(terminal.master(), size).expect("it is a terminal");
}

#[test]
fn what_is_written_to_it_comes_out_unchanged_to_the_last_byte() {
    let source = Source::new("a: printf 'x\\r\\n\\ty\\033[1m\\377\\000\\nlast'; exit 3\n");
    let ended = source.run(&["--pty", "--any-exit"]);
    assert_eq!(ended.out, b"a.1 | x\r\na.1 | \ty\x1b[1m\xff\0\na.1 | last");
    assert_eq!(ended.code(), 3);
    let lines = rounds(50_000, 1_000_000);
    let ended = Source::new(&format!("web: seq {lines}\n")).run(&["--pty"]);
    let text = ended.text();
    let numbers = text.lines().map(|line| line.strip_prefix("web.1 | ").and_then(|n| n.parse().ok()));
    assert!(numbers.eq((1..=lines).map(Some)), "{} lines came", text.lines().count());
}
