//! Many programs write into one journal at once.

use std::process::{Child, Command};

use formation::AppName;
use ps_apps::World;
use ps_journal::{Event, Journal};

const WRITERS: usize = 50;
const EVENTS: usize = 20;
/// The environment variable that names the world, with which this test starts itself as another process.
const WRITER: &str = "FORMATION_TEST_WRITER";

fn shop() -> AppName {
    "shop".parse().expect("a name")
}

fn world(place: &str) -> World {
    World::new(format!("{place}/home"), format!("{place}/lib"))
}

#[test]
fn fifty_writers_at_once_lose_nothing() {
    if let Ok(word) = std::env::var(WRITER) {
        let (number, place) = word.split_once(' ').expect("a number and a path");
        let world = world(place);
        for event in 0..EVENTS {
            let arguments = [number.to_owned(), event.to_string()];
            Journal::of(&world, &shop()).asked("stop", &arguments, |loss| panic!("{loss}"));
        }
        return;
    }
    let place = tempfile::tempdir().expect("a directory");
    let path = place.path().to_str().expect("text");
    std::fs::create_dir_all(place.path().join("home/shop")).expect("an app");
    std::fs::create_dir_all(place.path().join("lib")).expect("a root");
    let us = std::env::current_exe().expect("this program");
    let begin = |number: usize| {
        let mut command = Command::new(&us);
        command.args(["fifty_writers_at_once_lose_nothing", "--exact", "--test-threads", "1"]);
        command.env(WRITER, format!("{number} {path}")).stdout(std::process::Stdio::null());
        command.spawn().expect("it starts")
    };
    let writers: Vec<Child> = (0..WRITERS).map(begin).collect();
    for mut writer in writers {
        assert!(writer.wait().expect("it is ours").success());
    }
    let contents = Journal::of(&world(path), &shop()).read().expect("readable");
    assert_eq!((contents.entries.len(), contents.unreadable), (WRITERS * EVENTS, 0));
    let mut next = [0; WRITERS];
    for entry in contents.entries {
        let Event::Asked { arguments, .. } = entry.event else { panic!("{entry:?}") };
        let [writer, event]: [usize; 2] =
            std::array::from_fn(|index| arguments[index].parse().expect("a number"));
        assert_eq!(event, next[writer], "the events of writer {writer} are in their order");
        next[writer] += 1;
    }
}
