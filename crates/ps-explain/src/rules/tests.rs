//! The rules with facts made by hand. If no rule is certain, the cause stays unknown.

use formation::{EndCause, Exit, OutOfMemory, State, Stream, Which};
use jiff::Timestamp;
use ps_scheduler::Over;

use super::*;
use crate::facts::{End, Facts, Full, Known, Line, Silence, Strain, Verb};
use crate::finding::{Evidence, Said};

mod lives_again;
mod who_asked;

fn time(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a time")
}

fn facts() -> Facts {
    Facts {
        app: "shop".to_owned(),
        asked: Which::All,
        now: time(100),
        is_container: false,
        is_deployed: true,
        earlier_releases: 1,
        wanted: 1,
        silent: None,
        instances: Vec::new(),
        verbs: Vec::new(),
        directory: None,
        full: Vec::new(),
        changed: Vec::new(),
        clock: None,
        is_unsupervised: false,
        has_ulimit: false,
        stopped_supervisor: None,
        unaccepted: None,
        begins: None,
        lost_image: None,
    }
}

fn crashed(exit: Option<Exit>, cause: EndCause) -> Known {
    Known {
        slot: "web.1".to_owned(),
        state: State::Crashed,
        since: Some(time(90)),
        run: Some(7),
        is_of_deploy: false,
        next: None,
        suspended: None,
        stopped_child: None,
        bad_file: None,
        is_job: false,
        over: Some(Over::GivenUp),
        restarts: 0,
        note: None,
        port: Some(5000),
        holder: None,
        end: Some(End {
            at: Some(time(90)),
            exit,
            cause: Some(cause),
            lived_ms: Some(1500),
            out_of_memory: None,
            check: None,
        }),
        refused: None,
        check: None,
        given_up: None,
        output: Vec::new(),
        strain: Strain::default(),
    }
}

fn named(facts: &Facts, it: &Known) -> Option<&'static str> {
    cause(Case { facts, it: Some(it) }).map(|finding| finding.cause)
}

fn wrote(text: &str) -> Vec<Line> {
    vec![Line::of_test(Stream::Stderr, text)]
}

#[test]
fn sigkill_is_a_want_of_memory_only_where_the_kernel_counted_one() {
    let killed = crashed(Some(Exit::Signal(9)), EndCause::Signal);
    assert_eq!(named(&facts(), &killed), Some("killed-from-outside"));
    let mut of_memory = crashed(Some(Exit::Signal(9)), EndCause::Memory);
    let end = of_memory.end.as_mut().expect("it ended");
    end.out_of_memory = Some(OutOfMemory { limit_bytes: Some(64 << 20), main: true });
    assert_eq!(named(&facts(), &of_memory), Some("out-of-memory"));
}

#[test]
fn what_nobody_saw_is_unknown() {
    assert_eq!(named(&facts(), &crashed(None, EndCause::Unseen)), None);
    let unknown = Known { state: State::Unknown, end: None, ..crashed(None, EndCause::Unseen) };
    assert_eq!(named(&facts(), &unknown), None);
}

#[test]
fn what_it_wrote_says_nothing_of_an_end_that_somebody_wanted_or_a_signal_brought() {
    let output = wrote("Error: Cannot find module 'x'");
    let by_itself = Known { output: output.clone(), ..crashed(Some(Exit::Code(1)), EndCause::Itself) };
    assert_eq!(named(&facts(), &by_itself), Some("module-missing"));
    let killed = Known { output: output.clone(), ..crashed(Some(Exit::Signal(9)), EndCause::Signal) };
    assert_eq!(named(&facts(), &killed), Some("killed-from-outside"));
    let stopped = Known {
        output,
        state: State::Stopped,
        over: Some(Over::StoppedByHand),
        ..crashed(Some(Exit::Code(0)), EndCause::Asked)
    };
    assert_eq!(named(&facts(), &stopped), Some("stopped-by-hand"));
}

#[test]
fn the_narrowest_sign_is_the_cause() {
    let mut output = wrote("Traceback (most recent call last):");
    output.extend(wrote("OSError: [Errno 98] Address already in use"));
    output.extend(wrote("fatal error: cannot go on"));
    let it = Known { output, ..crashed(Some(Exit::Code(1)), EndCause::Itself) };
    assert_eq!(named(&facts(), &it), Some("port-taken"));
}

#[test]
fn a_disk_without_inodes_is_told_from_one_without_bytes() {
    let it =
        Known { output: wrote("No space left on device"), ..crashed(Some(Exit::Code(1)), EndCause::Itself) };
    for (is_of_inodes, cause) in [(false, "disk-full"), (true, "inodes-full")] {
        let full = vec![Full { path: "/srv".into(), is_of_inodes }];
        assert_eq!(named(&Facts { full, ..facts() }, &it), Some(cause));
    }
}

#[test]
fn an_engine_that_does_not_answer_comes_before_all() {
    let silent = Some(Silence { is_away: true, reason: "nobody answers".to_owned() });
    let facts = Facts { silent, is_container: true, ..facts() };
    assert_eq!(cause(Case { facts: &facts, it: None }).map(|finding| finding.cause), Some("engine-away"));
}

#[test]
fn circumstances_are_said_beside_the_cause_and_not_twice() {
    let changed = vec![(std::path::PathBuf::from("/srv/.env"), time(80))];
    let full = vec![Full { path: "/srv".into(), is_of_inodes: false }];
    let jump = crate::facts::ClockJump { at: time(70), seconds: -120, is_since: false };
    let facts = Facts { changed, full, clock: Some(jump), ..facts() };
    let it =
        Known { given_up: Some((time(90), Some(3), None)), ..crashed(Some(Exit::Code(1)), EndCause::Itself) };
    let it = Known { output: wrote("it is over"), ..it };
    let named = |cause, evidence: Vec<Evidence>| -> Vec<&str> {
        let cause = Said::new("", evidence).of(cause);
        let found = circumstances(Case { facts: &facts, it: Some(&it) }, &cause);
        found.iter().map(|finding| finding.cause).collect()
    };
    let quoted = || vec![Evidence::Output(it.output[0].clone())];
    let all = ["restart-count", "last-line", "files-changed", "disk-full", "clock-jump"];
    assert_eq!(named("exit-status", vec![Evidence::Status]), all);
    assert_eq!(named("own-error", quoted()), ["restart-count", "files-changed", "disk-full", "clock-jump"]);
    assert_eq!(named("disk-full", quoted()), ["restart-count", "files-changed", "clock-jump"]);
}

#[test]
fn what_no_rule_knows_is_told_in_the_program_s_own_words() {
    let said = |exit, text: &str, cause_of_end| {
        let output = text.lines().map(|line| Line::of_test(Stream::Stderr, line)).collect();
        let mut known = Known { output, ..crashed(Some(exit), cause_of_end) };
        if let Some(end) = known.end.as_mut() {
            end.lived_ms = Some(10);
        }
        let facts = facts();
        cause(Case { facts: &facts, it: Some(&known) }).map(|finding| (finding.cause, finding.says))
    };
    let of_code = |code, text: &str| said(Exit::Code(code), text, EndCause::Itself).expect("it is known");
    let (cause, says) = of_code(2, "make: *** No rule to make target 'serve'.  Stop.");
    assert!(
        cause == "own-error" && says.contains("exit status 2") && says.contains("No rule to make"),
        "{says}"
    );
    assert_eq!(of_code(2, "serving").0, "exit-status");
    // The shell and the dynamic loader both end with 127.
    assert_eq!(of_code(127, "").0, "program-missing");
    assert_eq!(of_code(127, "nice: 'puma': No such file or directory").0, "program-missing");
    assert_eq!(of_code(127, "./server: symbol lookup failed: shop_open").0, "own-error");
    let (cause, says) =
        said(Exit::Signal(6), "free(): invalid pointer", EndCause::Signal).expect("it is known");
    assert!(cause == "fault" && says.contains("as it wrote: \"free(): invalid pointer\""), "{says}");
}

fn finding_of(facts: &Facts, it: Option<&Known>) -> Finding {
    cause(Case { facts, it }).expect("a cause")
}

#[test]
fn the_report_of_a_program_counts_also_behind_a_pipe_that_ends_with_success() {
    let ended = |text: &str| Known { output: wrote(text), ..crashed(Some(Exit::Code(0)), EndCause::Itself) };
    let told = finding_of(&facts(), Some(&ended("ModuleNotFoundError: No module named 'flask'")));
    assert_eq!(told.cause, "module-missing");
    assert!(told.says.contains("exit status 0"), "{}", told.says);
    assert_eq!(named(&facts(), &ended("cache: Connection refused")), Some("ends-by-itself"));
}

#[test]
fn the_last_line_is_quoted_whatever_it_says_that_on_stderr_first() {
    let output = [wrote("the moon is full"), vec![Line::of_test(Stream::Stdout, "good night")]].concat();
    let it = Known { output, ..crashed(Some(Exit::Code(3)), EndCause::Itself) };
    let told = finding_of(&facts(), Some(&it));
    assert_eq!(told.cause, "exit-status");
    assert!(told.says.ends_with("as it wrote: \"the moon is full\""), "{}", told.says);
}

#[test]
fn what_ended_and_runs_again_is_not_said_to_lack_anything_now() {
    let output = wrote("FileNotFoundError: [Errno 2] No such file or directory: 'a'");
    let ended = crashed(Some(Exit::Code(1)), EndCause::Itself);
    let it = Known { output, state: State::Running, over: None, ..ended };
    let told = finding_of(&facts(), Some(&it));
    assert!(told.says.starts_with("it is running again; when it ended"), "{}", told.says);
    assert!(told.cure.is_some_and(|cure| cure.starts_with("if it ends like that again, ")));
}

#[test]
fn what_a_process_said_that_is_not_there_any_more_tells_why_its_deploy_failed() {
    let of = |error: &str, told: Vec<Line>| {
        let verb = Verb {
            name: "deploy".to_owned(),
            by: "alice".to_owned(),
            words: "deploy shop".to_owned(),
            at: time(80),
            ended: Some((time(90), Some(error.to_owned()))),
            told,
        };
        let told = finding_of(&Facts { verbs: vec![verb], is_container: true, ..facts() }, None);
        (told.cause, told.says)
    };
    let error = "web.1 of shop ended with exit status 127 in its first second";
    let (cause, says) = of(error, wrote("./server: line 1: \u{7f}ELF: not found"));
    assert_eq!(cause, "wrong-architecture");
    assert!(says.contains(error) && says.contains("as it wrote"), "{says}");
    assert_eq!(of(error, wrote("sh: gunicorn: not found")).0, "program-missing");
    assert_eq!(of(error, wrote("it cannot find its words")).0, "own-error");
    assert_eq!(of(error, Vec::new()).0, "exit-status");
    let check = "web.1 of shop did not answer GET / with 2xx in 2 attempts";
    assert_eq!(of(check, wrote("cache: Connection refused")).0, "check-failed");
    let task = "release.1 of shop failed (exit status: 1): it ran `x`; nothing was changed";
    let (cause, says) = of(task, wrote("sqlite3.OperationalError: no such table: orders"));
    assert_eq!(cause, "release-failed");
    assert!(says.contains("no such table: orders\""), "{says}");
}

#[test]
fn what_wears_an_instance_out_is_told_of_one_that_is_well_too() {
    let strained = |strain| {
        let it = Known { state: State::Running, end: None, strain, ..crashed(None, EndCause::Unseen) };
        let found = strains(&Facts { instances: vec![it], ..facts() });
        found.into_iter().map(|finding| (finding.cause, finding.says)).collect::<Vec<_>>()
    };
    let worn =
        strained(Strain { busy_percent: Some(99.4), memory: Some((59 << 20, 60 << 20)), dropped_bytes: 3 });
    let says = [
        (
            "busy",
            "a CPU is kept busy by web.1: for 99 % of the time one thread of it computes, or waits for a CPU",
        ),
        (
            "memory-near-limit",
            "the memory of web.1 (59 MiB) is close to its limit of 60 MiB, at which the kernel kills it",
        ),
        ("log-dropped", "3 bytes of what web.1 wrote were lost, because its log could not be written"),
    ];
    assert_eq!(worn, says.map(|(cause, says)| (cause, says.to_owned())));
    assert!(
        strained(Strain { busy_percent: Some(80.0), memory: Some((50 << 20, 60 << 20)), dropped_bytes: 0 })
            .is_empty()
    );
}

#[test]
fn one_whose_log_takes_nothing_is_not_well() {
    let note = "its log takes nothing: what it writes waits until there is room";
    let waits = Known {
        state: State::Running,
        end: None,
        note: Some(note.to_owned()),
        ..crashed(None, EndCause::Unseen)
    };
    assert!(!waits.is_well());
    assert_eq!(named(&facts(), &waits), Some("disk-full"));
    assert!(Known { note: None, ..waits }.is_well());
}

#[test]
fn what_a_swarm_says_of_an_instance_that_does_not_run_is_the_answer() {
    let told = |state, note: &str| Known {
        state,
        over: None,
        note: Some(note.to_owned()),
        ..crashed(None, EndCause::Unseen)
    };
    for (state, note) in [
        (
            State::Waiting,
            "no suitable node (host-mode port already in use on 3 nodes); port 8080 is that of other",
        ),
        (State::Backoff, "its node node3 is down, so the swarm starts it on another one"),
        (State::Unknown, "the swarm has lost its quorum: it was running before"),
    ] {
        let it = Known { end: None, ..told(state, note) };
        let (facts, it) = (facts(), &it);
        let said = orders::waiting(Case { facts: &facts, it: Some(it) }).expect("it says why");
        assert_eq!(said.says, format!("the swarm says: {note}"));
        assert_eq!(named(&facts, it), Some("waiting"), "{note}");
    }
    let other = Known { end: None, ..told(State::Backoff, "it takes its time") };
    assert_eq!(named(&facts(), &other), None);
}

#[test]
fn what_it_wrote_before_a_check_failed_is_the_cause_only_if_it_is_a_limit_or_is_still_tried() {
    let failed = |reason: &str, text: &str| {
        let it = Known {
            state: State::Unready,
            end: None,
            check: Some((Some(time(95)), reason.to_owned())),
            output: wrote(text),
            ..crashed(None, EndCause::Unseen)
        };
        finding_of(&facts(), Some(&it))
    };
    let silent = "did not answer GET / with 2xx in 2 attempts (no answer within 2 s)";
    for (reason, text, cause) in [
        (silent, "http: accept4: too many open files; retrying in 1s", "too-many-open-files"),
        (silent, "db: connect ECONNREFUSED 127.0.0.1:5432, retrying", "dependency-unreachable"),
        (silent, "db: connect ECONNREFUSED 127.0.0.1:5432", "check-failed"),
        (
            "did not answer GET / with 2xx (it answered \"HTTP/1.1 500\")",
            "accept4: too many open files; retrying in 1s",
            "check-failed",
        ),
    ] {
        let finding = failed(reason, text);
        assert_eq!(finding.cause, cause, "{text}");
        assert!(finding.says.contains(text) && finding.says.contains(reason), "{}", finding.says);
    }
    assert_eq!(failed(silent, "serving").says, format!("it does not pass a check: {silent}"));
}

#[test]
fn a_process_below_it_that_is_stopped_is_why_nobody_answers_its_check() {
    let it = Known {
        state: State::Unready,
        end: None,
        check: Some((None, "did not answer GET /".to_owned())),
        stopped_child: Some((812, "python3".to_owned())),
        ..crashed(None, EndCause::Unseen)
    };
    let finding = finding_of(&facts(), Some(&it));
    assert_eq!(finding.cause, "suspended");
    assert!(
        finding.says.starts_with("python3 (pid 812)") && finding.cure.as_deref() == Some("kill -CONT 812")
    );
}

#[test]
fn a_time_before_the_journal_begins_is_said_to_be_one() {
    let facts = Facts { begins: Some(time(200)), ..facts() };
    let answer = crate::show::answer(&facts).paragraph();
    assert!(answer.starts_with("nothing is known of shop at that time. Its journal begins only"), "{answer}");
}

#[test]
fn a_timer_of_its_own_and_a_reader_that_has_gone_are_nobody_outside() {
    for (number, cause) in [(14, "own-timer"), (13, "broken-pipe"), (10, "killed-from-outside")] {
        let it = crashed(Some(Exit::Signal(number)), EndCause::Signal);
        assert_eq!(named(&facts(), &it), Some(cause), "signal {number}");
    }
}

#[test]
fn an_exception_of_c_plus_plus_says_which_limit_aborted_it() {
    let lines = [
        "terminate called after throwing an instance of 'std::system_error'",
        "  what():  Resource temporarily unavailable",
    ];
    let output = lines.iter().flat_map(|line| wrote(line)).collect();
    let it = Known { output, ..crashed(Some(Exit::Signal(6)), EndCause::Signal) };
    assert_eq!(named(&facts(), &it), Some("process-limit"));
    let it = Known { output: wrote(lines[0]), ..it };
    assert_eq!(named(&facts(), &it), Some("fault"));
}

#[test]
fn behind_a_gap_in_the_journal_the_last_end_is_that_at_which_it_was_given_up() {
    let end = |is_after_gap| {
        let mut it = crashed(Some(Exit::Code(3)), EndCause::Itself);
        it.give_up(time(99), (Some(11), None), is_after_gap);
        let end = it.end.expect("it ended");
        (end.at == Some(time(99)), end.lived_ms.is_none())
    };
    assert_eq!((end(true), end(false)), ((true, true), (false, false)));
}
