//! The life of one run in a rollout: a total, pure table, life x event -> life + action, printed in docs/rollout.md and
//! compared with it by a test. Timers and numbers are handled elsewhere.

use serde::{Deserialize, Serialize};

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Life {
    /// Its start was ordered and not answered yet.
    Starting,
    /// It lives, and its checks are running.
    Probing,
    /// Its checks have succeeded, and it has not lived for the minimum time yet.
    Maturing,
    /// It has passed the gate.
    Ready,
    /// Clients are being led to it.
    Admitting,
    /// Clients reach it.
    Serving,
    /// Clients are being led away from it.
    Withdrawing,
    /// It was told to end.
    Ending,
    /// It was told to end and survived SIGKILL.
    Remaining,
    /// It was told to end, and has ended.
    Gone,
    /// It ended by itself, or did not start; its restart policy may start it again.
    Down,
    /// It has finished as it should, after it had passed the gate.
    Finished,
}

/// What can happen to a run. The last two are decisions of the rollout itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Happening {
    /// It was started.
    Started,
    /// It could not be started.
    Refused,
    /// Its checks have succeeded.
    Ready,
    /// Its checks have failed for good.
    NotReady,
    /// Its timer is due: its deadline, or its minimum life.
    Due,
    /// Clients reach it.
    Admitted,
    /// Clients could not be led to it.
    NotAdmitted,
    /// Clients do not reach it any more.
    Withdrawn,
    /// It ended by itself, and its restart policy treats that as a failure.
    Died,
    /// No process of it is left.
    Ended,
    /// It survived SIGKILL.
    Remains,
    /// Its restart policy started it again.
    Respawned,
    /// It ended by itself with success, and other types wait for that.
    Done,
    /// Clients are to be led to it.
    Admit,
    /// It is to end.
    Retire,
}

/// The action that follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    /// Nothing.
    Nothing,
    /// Run its checks.
    Probe,
    /// Lead clients to it.
    Admit,
    /// Lead clients away from it.
    Withdraw,
    /// End it.
    End,
    /// Remove its remains.
    Forget,
    /// Record its failure; the stage decides what follows.
    Fail,
}

use Deed::{Admit, End, Fail, Forget, Nothing, Probe, Withdraw};

impl Life {
    /// The next state and the action.
    pub(crate) fn after(self, happening: Happening) -> (Self, Deed) {
        match self {
            Self::Starting => from_starting(happening),
            Self::Probing => from_probing(happening),
            Self::Maturing => from_maturing(happening),
            Self::Ready => from_ready(happening),
            Self::Admitting => from_admitting(happening),
            Self::Serving => from_serving(happening),
            Self::Withdrawing => from_withdrawing(happening),
            Self::Ending => from_ending(happening),
            Self::Remaining => from_remaining(happening),
            Self::Gone => from_gone(happening),
            Self::Down => from_down(Self::Down, happening),
            Self::Finished => from_down(Self::Finished, happening),
        }
    }

    /// Whether the run has reached its last state: it is gone, or cannot be ended.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Gone | Self::Remaining)
    }

    /// Whether the run is being started, with a timer running.
    pub(crate) fn is_coming(self) -> bool {
        matches!(self, Self::Starting | Self::Probing | Self::Maturing)
    }
}

fn from_starting(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Started => (Life::Probing, Probe),
        Happening::Refused | Happening::Died => (Life::Down, Fail),
        Happening::Done => (Life::Finished, Nothing),
        Happening::Ended => (Life::Finished, Fail),
        Happening::Due => (Life::Starting, Fail),
        Happening::Retire => (Life::Ending, End),
        Happening::Ready
        | Happening::NotReady
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Withdrawn
        | Happening::Remains
        | Happening::Respawned
        | Happening::Admit => (Life::Starting, Nothing),
    }
}

fn from_probing(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Ready => (Life::Maturing, Nothing),
        Happening::NotReady | Happening::Due => (Life::Probing, Fail),
        Happening::Died => (Life::Down, Fail),
        Happening::Done => (Life::Finished, Nothing),
        Happening::Ended => (Life::Finished, Fail),
        Happening::Admit => (Life::Admitting, Admit),
        Happening::Retire => (Life::Ending, End),
        Happening::Started
        | Happening::Refused
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Withdrawn
        | Happening::Remains
        | Happening::Respawned => (Life::Probing, Nothing),
    }
}

fn from_maturing(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Due => (Life::Ready, Nothing),
        Happening::NotReady => (Life::Maturing, Fail),
        Happening::Died => (Life::Down, Fail),
        Happening::Done => (Life::Finished, Nothing),
        Happening::Ended => (Life::Finished, Fail),
        Happening::Admit => (Life::Admitting, Admit),
        Happening::Retire => (Life::Ending, End),
        Happening::Started
        | Happening::Refused
        | Happening::Ready
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Withdrawn
        | Happening::Remains
        | Happening::Respawned => (Life::Maturing, Nothing),
    }
}

fn from_ready(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Admit => (Life::Admitting, Admit),
        Happening::Died => (Life::Down, Fail),
        Happening::Ended | Happening::Done => (Life::Finished, Nothing),
        Happening::Retire => (Life::Ending, End),
        Happening::Started
        | Happening::Refused
        | Happening::Ready
        | Happening::NotReady
        | Happening::Due
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Withdrawn
        | Happening::Remains
        | Happening::Respawned => (Life::Ready, Nothing),
    }
}

fn from_admitting(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Admitted => (Life::Serving, Nothing),
        // An earlier order may have been carried out, so the run is withdrawn before it ends.
        Happening::NotAdmitted => (Life::Admitting, Fail),
        Happening::Died => (Life::Down, Fail),
        Happening::Ended | Happening::Done => (Life::Finished, Nothing),
        Happening::Retire => (Life::Withdrawing, Withdraw),
        Happening::Started
        | Happening::Refused
        | Happening::Ready
        | Happening::NotReady
        | Happening::Due
        | Happening::Withdrawn
        | Happening::Remains
        | Happening::Respawned
        | Happening::Admit => (Life::Admitting, Nothing),
    }
}

fn from_serving(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Died => (Life::Down, Fail),
        Happening::Ended | Happening::Done => (Life::Finished, Nothing),
        Happening::Retire => (Life::Withdrawing, Withdraw),
        Happening::Started
        | Happening::Refused
        | Happening::Ready
        | Happening::NotReady
        | Happening::Due
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Withdrawn
        | Happening::Remains
        | Happening::Respawned
        | Happening::Admit => (Life::Serving, Nothing),
    }
}

fn from_withdrawing(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Withdrawn | Happening::Died => (Life::Ending, End),
        Happening::Ended | Happening::Done => (Life::Finished, Nothing),
        Happening::Respawned => (Life::Withdrawing, Withdraw),
        // The run has not been told to end yet, so the same run can go on.
        Happening::Admit => (Life::Admitting, Admit),
        Happening::Started
        | Happening::Refused
        | Happening::Ready
        | Happening::NotReady
        | Happening::Due
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Remains
        | Happening::Retire => (Life::Withdrawing, Nothing),
    }
}

/// The main process of the run has died, but other processes of it may live.
fn from_ending(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Ended | Happening::Done => (Life::Gone, Forget),
        Happening::Remains => (Life::Remaining, Fail),
        Happening::Respawned => (Life::Ending, End),
        Happening::Started
        | Happening::Refused
        | Happening::Ready
        | Happening::NotReady
        | Happening::Due
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Withdrawn
        | Happening::Died
        | Happening::Admit
        | Happening::Retire => (Life::Ending, Nothing),
    }
}

fn from_remaining(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Ended | Happening::Done => (Life::Gone, Forget),
        Happening::Respawned => (Life::Ending, End),
        Happening::Started
        | Happening::Refused
        | Happening::Ready
        | Happening::NotReady
        | Happening::Due
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Withdrawn
        | Happening::Died
        | Happening::Remains
        | Happening::Admit
        | Happening::Retire => (Life::Remaining, Nothing),
    }
}

fn from_gone(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Respawned => (Life::Ending, End),
        Happening::Started
        | Happening::Refused
        | Happening::Ready
        | Happening::NotReady
        | Happening::Due
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Withdrawn
        | Happening::Died
        | Happening::Ended
        | Happening::Done
        | Happening::Remains
        | Happening::Admit
        | Happening::Retire => (Life::Gone, Nothing),
    }
}

/// A run that ended by itself gets the order to end as well, so that its restart policy does not start it again.
fn from_down(life: Life, happening: Happening) -> (Life, Deed) {
    match happening {
        // The run may have a new address, or may have died before clients were led to it.
        Happening::Respawned => (Life::Admitting, Admit),
        Happening::Retire => (Life::Ending, End),
        Happening::Started
        | Happening::Refused
        | Happening::Ready
        | Happening::NotReady
        | Happening::Due
        | Happening::Admitted
        | Happening::NotAdmitted
        | Happening::Withdrawn
        | Happening::Died
        | Happening::Ended
        | Happening::Done
        | Happening::Remains
        | Happening::Admit => (life, Nothing),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIVES: [Life; 12] = [
        Life::Starting,
        Life::Probing,
        Life::Maturing,
        Life::Ready,
        Life::Admitting,
        Life::Serving,
        Life::Withdrawing,
        Life::Ending,
        Life::Remaining,
        Life::Gone,
        Life::Down,
        Life::Finished,
    ];

    const HAPPENINGS: [Happening; 15] = [
        Happening::Started,
        Happening::Refused,
        Happening::Ready,
        Happening::NotReady,
        Happening::Due,
        Happening::Admitted,
        Happening::NotAdmitted,
        Happening::Withdrawn,
        Happening::Died,
        Happening::Ended,
        Happening::Remains,
        Happening::Respawned,
        Happening::Done,
        Happening::Admit,
        Happening::Retire,
    ];

    fn rendered() -> String {
        let heading = HAPPENINGS.map(|happening| format!(" {happening:?} |")).concat();
        let rule = "---|".repeat(HAPPENINGS.len() + 1);
        let row = |life: Life| {
            let cells = HAPPENINGS.map(|happening| cell(life, happening)).concat();
            format!("| **{life:?}** |{cells}\n")
        };
        format!("| life |{heading}\n|{rule}\n{}", LIVES.map(row).concat())
    }

    fn cell(life: Life, happening: Happening) -> String {
        let (next, deed) = life.after(happening);
        match (next == life, deed) {
            (true, Deed::Nothing) => " · |".to_owned(),
            (true, deed) => format!(" {deed:?} |"),
            (false, Deed::Nothing) => format!(" → {next:?} |"),
            (false, deed) => format!(" {deed:?} → {next:?} |"),
        }
    }

    #[test]
    fn the_page_prints_the_table_of_a_run_that_runs() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/rollout.md");
        let text = std::fs::read_to_string(page).expect("docs/rollout.md can be read");
        assert!(text.contains(&rendered()), "docs/rollout.md should contain:\n{}", rendered());
    }

    #[test]
    fn whatever_is_to_go_is_gone_once_it_is_withdrawn_and_ended() {
        for life in LIVES.into_iter().filter(|life| *life != Life::Remaining) {
            let steps = [Happening::Retire, Happening::Withdrawn, Happening::Ended];
            let end = steps.into_iter().fold(life, |life, happening| life.after(happening).0);
            assert_eq!(end, Life::Gone, "from {life:?}");
        }
    }

    #[test]
    fn only_what_was_told_to_go_and_is_empty_is_forgotten() {
        for life in LIVES {
            for happening in HAPPENINGS {
                let (next, deed) = life.after(happening);
                let has_gone = next == Life::Gone && life != Life::Gone;
                assert_eq!(deed == Deed::Forget, has_gone, "{life:?} {happening:?}");
                if has_gone {
                    assert!(
                        matches!(happening, Happening::Ended | Happening::Done),
                        "{life:?} is gone although it may live"
                    );
                }
            }
        }
    }

    #[test]
    fn nothing_but_a_gate_that_was_passed_leads_a_new_run_to_clients() {
        for life in [Life::Starting, Life::Probing, Life::Maturing] {
            for happening in HAPPENINGS.into_iter().filter(|happening| *happening != Happening::Admit) {
                let (next, deed) = life.after(happening);
                assert!(deed != Deed::Admit && next != Life::Serving, "{life:?} {happening:?}");
            }
        }
    }
}
