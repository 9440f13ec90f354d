//! The last lines of a series are the same as the last ones of all lines, wherever its segments are cut.

use std::fs;
use std::ops::ControlFlow;

use log_store::{Range, Reader, Segment, Series};
use proptest::prelude::*;

/// The output of runs: each is a list of segments.
fn runs() -> impl Strategy<Value = Vec<Vec<String>>> {
    // Some texts are longer than the blocks in which a file is read backwards.
    let text = prop_oneof![
        8 => "[ab\n]{0,12}".prop_map(String::from),
        1 => ("[a\n]{1,3}", 1_usize..50_000).prop_map(|(text, times)| text.repeat(times)),
    ];
    prop::collection::vec(prop::collection::vec(text, 0..4), 0..4)
}

fn lines_of(runs: &[Vec<String>]) -> Vec<(u64, String)> {
    let lines = |(run, segments): (u64, &Vec<String>)| {
        segments.concat().lines().map(move |line| (run, line.to_owned())).collect::<Vec<_>>()
    };
    (1..).zip(runs).flat_map(lines).collect()
}

fn read(series: &Series, tail: Option<usize>) -> Vec<(u64, String)> {
    let mut lines = Vec::new();
    let mut reader = Reader::open(series.clone(), Range::last(tail)).expect("readable");
    let handed = reader.hand_out(true, &mut |line| {
        lines.push((line.run, String::from_utf8(line.bytes).expect("it was written as text")));
        ControlFlow::Continue(())
    });
    assert!(handed.expect("readable").is_continue());
    lines
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn the_last_lines_are_the_end_of_all_lines(runs in runs(), wanted in 0_usize..30) {
        let place = tempfile::tempdir().expect("a directory");
        let series = Series::new(place.path(), "stderr");
        for (run, segments) in (1..).zip(&runs) {
            for (number, text) in (0..).zip(segments) {
                fs::write(series.path(Segment { run, number }), text).expect("written");
            }
        }
        let all = lines_of(&runs);
        prop_assert_eq!(&read(&series, None), &all);
        prop_assert_eq!(&read(&series, Some(wanted))[..], &all[all.len().saturating_sub(wanted)..]);
    }
}
