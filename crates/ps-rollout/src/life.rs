//! One run as a rollout sees it: a total, pure table, life x happening -> life + deed, printed in docs/rollout.md and
//! held against it by a test. Timers and numbers live around it.

use serde::{Deserialize, Serialize};

/// How far a run has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Life {
    /// It was ordered, and nobody has said yet that it lives.
    Starting,
    /// It lives, and its checks are being asked.
    Probing,
    /// Its checks hold, and it has not yet lived for as long as the gate demands.
    Maturing,
    /// It has passed the gate.
    Ready,
    /// Clients are about to be led to it.
    Admitting,
    /// Clients are led to it.
    Serving,
    /// Clients are being led away from it.
    Withdrawing,
    /// It was told to end.
    Ending,
    /// It was told to end and would not.
    Remaining,
    /// It was told to end and did.
    Gone,
    /// It ended by itself, or never came up; its restart policy may start it again.
    Down,
    /// It ended by itself as it should, after it had passed the gate.
    Finished,
}

/// What can happen to a run. The last two are what the rollout itself wants of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Happening {
    /// It lives.
    Started,
    /// It could not be started.
    Refused,
    /// Its checks hold.
    Ready,
    /// Its checks will not hold.
    NotReady,
    /// The time it was given has passed: its deadline, or its minimum life.
    Due,
    /// Clients are led to it.
    Admitted,
    /// Clients could not be led to it.
    NotAdmitted,
    /// Clients are led to it no more.
    Withdrawn,
    /// It ended by itself, and its restart policy does not leave it at that.
    Died,
    /// Nothing of it is left.
    Ended,
    /// It would not end.
    Remains,
    /// Its restart policy started it again.
    Respawned,
    /// Clients are to be led to it.
    Admit,
    /// It is to go.
    Retire,
}

/// What is done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Deed {
    /// Nothing.
    Nothing,
    /// Ask its checks.
    Probe,
    /// Lead clients to it.
    Admit,
    /// Lead clients away from it.
    Withdraw,
    /// End it.
    End,
    /// Remove what is left of it.
    Forget,
    /// Note that it has failed: what follows from that depends on the stage.
    Fail,
}

use Deed::{Admit, End, Fail, Forget, Nothing, Probe, Withdraw};

impl Life {
    /// The table.
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

    /// Whether nothing more will come of it: it has gone, or will not go.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Self::Gone | Self::Remaining)
    }

    /// Whether it is being brought up, with a timer that runs.
    pub(crate) fn is_coming(self) -> bool {
        matches!(self, Self::Starting | Self::Probing | Self::Maturing)
    }
}

fn from_starting(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Started => (Life::Probing, Probe),
        Happening::Refused | Happening::Died => (Life::Down, Fail),
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
        Happening::Ended => (Life::Finished, Nothing),
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
        // An earlier order may have been done: it is withdrawn before it ends.
        Happening::NotAdmitted => (Life::Admitting, Fail),
        Happening::Died => (Life::Down, Fail),
        Happening::Ended => (Life::Finished, Nothing),
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
        Happening::Ended => (Life::Finished, Nothing),
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
        Happening::Ended => (Life::Finished, Nothing),
        Happening::Respawned => (Life::Withdrawing, Withdraw),
        // It was not told to end yet: the very same run can go on.
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

/// That its main process died does not say that nothing of it is left.
fn from_ending(happening: Happening) -> (Life, Deed) {
    match happening {
        Happening::Ended => (Life::Gone, Forget),
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
        Happening::Ended => (Life::Gone, Forget),
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
        | Happening::Remains
        | Happening::Admit
        | Happening::Retire => (Life::Gone, Nothing),
    }
}

/// A run that ended by itself, well or not, is told to end all the same: that takes it from its restart policy.
fn from_down(life: Life, happening: Happening) -> (Life, Deed) {
    match happening {
        // It may have a new address, or may have died before clients were led to it.
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

    const HAPPENINGS: [Happening; 14] = [
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
                    assert_eq!(happening, Happening::Ended, "{life:?} is gone although it may live");
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
