//! What a real Dokku said and did, and golden cases of our own.

use crate::support::recorded;
use crate::support::recorded::Difference;

use crate::{PROGRAM, scale_inside_dokku};

const DIFFERENCES: &[Difference] = &[
    Difference { name: "scale-print-bad-format", reason: "an unknown format is wrong usage, not text" },
    Difference { name: "scale-neg", reason: "a negative count is refused" },
    Difference { name: "scale-dup", reason: "two counts for one type are refused" },
    Difference { name: "scale-badtype", reason: "a name off [A-Za-z0-9_-] is refused" },
    Difference { name: "scale-badtype2", reason: "a name off [A-Za-z0-9_-] is refused" },
    Difference { name: "scale-space", reason: "a name off [A-Za-z0-9_-] is refused" },
    Difference { name: "scale-long", reason: "a name over 63 characters is refused" },
    Difference {
        name: "scale-format-change",
        reason: "the format that was asked for is given after a change too",
    },
];

#[test]
fn inside_dokku_every_recorded_case_is_answered_as_dokku_answered_it() {
    recorded::replay(&["reads.jsonl", "changes.jsonl", "hooks.jsonl"], DIFFERENCES, |place, case| {
        let words: Vec<&str> = case.argv.iter().map(String::as_str).collect();
        let mut command = place.command_inside_dokku(PROGRAM);
        command.env("DOKKU_PID", "4242");
        match &words[..] {
            ["dokku", "--quiet", "ps:scale", rest @ ..] => {
                command.env("DOKKU_QUIET_OUTPUT", "1").args(rest);
            }
            ["dokku" | "subcommands/scale", "ps:scale", rest @ ..] => {
                command.args(rest);
            }
            ["dokku", "plugin:trigger", trigger, rest @ ..] | [trigger, rest @ ..]
                if [
                    "ps-current-scale",
                    "ps-set-scale",
                    "ps-can-scale",
                    "post-create",
                    "post-release-builder",
                ]
                .contains(trigger) =>
            {
                if case.name == "current-scale-after" {
                    // Its answer shows that this hook ran before it, in a case that was not recorded.
                    let builder = ["--from-trigger", "post-release-builder", "dockerfile", "demo", "image"];
                    assert_eq!(scale_inside_dokku(place, &builder).status, 0);
                    return None;
                }
                command.args(["--from-trigger", trigger]).args(rest);
            }
            _ => return None,
        }
        Some(command)
    });
}

#[test]
fn the_golden_cases_hold() {
    crate::support::golden::holds("ps-scale", PROGRAM, 30);
}
