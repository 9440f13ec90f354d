//! Waits for what is being written down. Between the death of a process and the moment in which its supervisor has written that down, nobody
//! can say how it ended. The supervisor writes the state first, and then in the journal why.

use std::thread;
use std::time::Duration;

use formation::{LifeStep, State};
use jiff::{SignedDuration, Timestamp};
use ps_journal::Entry;
use ps_scheduler::{AppStatus, Error, Instance, Over};

use super::past;

/// The status, asked for again while its supervisor lives and has not written down an end that can be seen.
pub(super) fn seen(
    mut status: AppStatus,
    is_supervised: impl Fn() -> bool,
    mut ask: impl FnMut() -> Result<AppStatus, Error>,
) -> Result<AppStatus, Error> {
    for _ in 0..TIMES {
        if !status.instances.iter().any(is_unrecorded) || !is_supervised() {
            break;
        }
        thread::sleep(PAUSE);
        status = ask()?;
    }
    Ok(status)
}

/// Whether its process is gone, and how it ended is written nowhere.
fn is_unrecorded(instance: &Instance) -> bool {
    let is_job = instance.state == State::Stopped && instance.over == Some(Over::Finished);
    instance.last_exit.is_none() && (is_job || instance.state == State::Missing)
}

/// A state that is older than this is in the journal, or never will be.
const RECENT: SignedDuration = SignedDuration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(20);
/// How often it is read again: for about three seconds. On a busy disk a supervisor comes to its journal that late.
const TIMES: usize = 150;

/// Reads the journal again until it knows of the runs that these instances have, and of their ends. A journal that stays behind is taken
/// as it is: its writer may have died, or it could not be written.
pub(super) fn catch_up(
    entries: &mut Vec<Entry>,
    instances: &[Instance],
    mut read: impl FnMut() -> Option<Vec<Entry>>,
) {
    for _ in 0..TIMES {
        if !is_behind(entries, instances, Timestamp::now()) {
            return;
        }
        thread::sleep(PAUSE);
        let Some(news) = read() else { return };
        *entries = news;
    }
}

fn is_behind(entries: &[Entry], instances: &[Instance], now: Timestamp) -> bool {
    instances.iter().any(|instance| {
        let is_recent = instance.since.is_some_and(|since| now.duration_since(since) < RECENT);
        let Some(run) = instance.run.filter(|run| is_recent && *run > 0) else { return false };
        let is_end = |step: LifeStep| {
            matches!(step, LifeStep::Exit | LifeStep::Refused | LifeStep::Crashed | LifeStep::Done)
        };
        let is_over = instance.last_exit.is_some() && !instance.state.is_alive();
        let mut of_run = past::lives(entries, &instance.slot).filter(|(_, life)| life.run == run);
        !of_run.any(|(_, life)| !is_over || is_end(life.step))
    })
}

#[cfg(test)]
mod tests {
    use formation::Exit;

    use super::*;

    fn entry(step: &str, run: u64) -> Entry {
        let text = format!(
            r#"{{"format":1,"at":"2026-11-26T14:03:00Z","monotonic_ms":1,"boot":"b","act":"a","event":"instance","slot":"web.1","step":"{step}","run":{run}}}"#
        );
        serde_json::from_str(&text).expect("an entry")
    }

    fn ended(run: u64) -> Instance {
        Instance {
            run: Some(run),
            since: Some(Timestamp::now()),
            last_exit: Some(Exit::Signal(1)),
            ..Instance::new("web.1".parse().expect("a slot"), State::Crashed)
        }
    }

    #[test]
    fn an_end_that_is_in_no_journal_yet_is_waited_for_and_one_that_never_comes_is_not_waited_for_long() {
        let (mut entries, mut reads) = (vec![entry("start", 3)], 0);
        catch_up(&mut entries, &[ended(3)], || {
            reads += 1;
            let more = (reads > 2).then(|| entry("exit", 3));
            Some([entry("start", 3)].into_iter().chain(more).collect())
        });
        assert_eq!((reads, entries.len()), (3, 2));
        let mut reads = 0;
        catch_up(&mut entries, &[ended(4)], || {
            reads += 1;
            Some(vec![entry("exit", 3)])
        });
        assert_eq!(reads, TIMES);
    }

    #[test]
    fn an_end_that_a_living_supervisor_has_not_written_down_is_waited_for() {
        let slot = || "web.1".parse().expect("a slot");
        let of = |instance| AppStatus::of("shop".parse().expect("a name"), vec![instance]);
        let job = || of(Instance { over: Some(Over::Finished), ..Instance::new(slot(), State::Stopped) });
        let mut asked = 0;
        let mut ask = || {
            asked += 1;
            Ok(if asked > 2 { of(ended(3)) } else { of(Instance::new(slot(), State::Missing)) })
        };
        let status = seen(job(), || true, &mut ask).expect("it answers");
        assert_eq!((status.instances[0].last_exit, asked), (Some(Exit::Signal(1)), 3));
        let unseen = seen(job(), || false, || panic!("nobody will write it down")).expect("it is known");
        assert_eq!(unseen.instances[0].over, Some(Over::Finished));
    }

    #[test]
    fn what_is_long_over_or_lives_and_is_known_is_not_waited_for() {
        let now = Timestamp::now();
        let old = Instance { since: Some(Timestamp::UNIX_EPOCH), ..ended(3) };
        assert!(!is_behind(&[], &[old], now));
        let alive = Instance { state: State::Running, ..ended(3) };
        assert!(!is_behind(&[entry("start", 3)], std::slice::from_ref(&alive), now));
        assert!(is_behind(&[entry("start", 2)], &[alive], now));
        assert!(is_behind(&[entry("start", 3)], &[ended(3)], now));
        assert!(!is_behind(&[entry("refused", 3)], &[ended(3)], now));
        let unknown = Instance { run: None, ..ended(3) };
        assert!(!is_behind(&[], &[unknown], now));
    }
}
