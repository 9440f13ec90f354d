//! Lines of very many instances come in the order in which they were captured.

use std::fs::{self, File};
use std::io::Write;
use std::ops::ControlFlow;

use formation::{AppName, Slot, Stream, Which};
use log_store::{Capture, Limits, writing_end};
use ps_apps::World;
use ps_scheduler::{LogLine, LogRequest, Scheduler};
use ps_scheduler_native::Native;

const INSTANCES: usize = 300;
const ROUNDS: usize = 4;

#[test]
fn the_lines_of_three_hundred_instances_are_merged_in_the_order_in_which_they_came() {
    let place = tempfile::tempdir().expect("a directory");
    let world = World::new(place.path().join("home"), place.path().join("lib"));
    let app: AppName = "shop".parse().expect("a legal name");
    let service = world.data_dir("scheduler-native", &app);
    let mut number = 0;
    for round in 0..ROUNDS {
        // Each round in another order, by a step that has no divisor in common with the count.
        let step = [1, 7, 11, 299][round];
        for index in (0..INSTANCES).map(|index| index * step % INSTANCES) {
            let slot: Slot = format!("web.{}", index + 1).parse().expect("a slot");
            let directory = service.join(slot.to_string());
            fs::create_dir_all(&directory).expect("made");
            let stream = if number % 2 == 0 { Stream::Stdout } else { Stream::Stderr };
            let (fifo, series) = (directory.join("fifo"), ps_supervisor::log(&directory, stream));
            // A capture that is opened anew records the time of what it writes first.
            let mut capture = Capture::open(&fifo, &series, 7, Limits::default()).expect("it opens");
            let mut end = File::from(writing_end(&fifo).expect("it opens"));
            writeln!(end, "{number}").expect("there is room");
            capture.move_bytes().expect("written");
            number += 1;
        }
    }
    let request = LogRequest { is_by_time: true, ..LogRequest::last(app, Which::All, None) };
    let mut read = Vec::new();
    let logs = Native::new(&world).logs(&request, &mut |line: &LogLine| {
        let text = String::from_utf8_lossy(&line.bytes).into_owned();
        read.push(text.parse::<usize>().expect("a number"));
        ControlFlow::Continue(())
    });
    logs.expect("readable");
    assert!(read.iter().copied().eq(0..INSTANCES * ROUNDS), "{read:?}");
}
