//! A program that is run after an event was recorded. It belongs to no instance, and the supervisor does not wait for
//! it. Only one runs at a time. Since it finds out itself what is new, one further run is enough for all events that
//! happen meanwhile.

use std::process::Command;

/// The program that runs, and the next one.
#[derive(Debug, Default)]
pub(crate) struct Errand {
    running: Option<u32>,
    next: Option<Box<Command>>,
}

impl Errand {
    /// Runs it, if there is one: now, or when the one that runs has ended.
    pub(crate) fn ask(&mut self, command: Option<Command>) {
        if let Some(command) = command {
            self.next = Some(Box::new(command));
            self.begin();
        }
    }

    /// The pid of the program, which belongs to no instance.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.running
    }

    /// Whether the child that has exited is this one.
    pub(crate) fn has_ended(&mut self, pid: u32) -> bool {
        let is_it = self.running == Some(pid);
        if is_it {
            self.running = None;
            self.begin();
        }
        is_it
    }

    fn begin(&mut self) {
        if self.running.is_none()
            && let Some(mut command) = self.next.take()
        {
            // One that cannot be started is run on account of what is written down next.
            self.running = command.spawn().ok().map(|child| child.id());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_runs_at_a_time_and_of_those_that_come_meanwhile_the_last() {
        let mut errand = Errand::default();
        errand.ask(Some(Command::new("true")));
        let first = errand.pid().expect("it runs");
        errand.ask(Some(Command::new("/no/such/program")));
        errand.ask(Some(Command::new("true")));
        errand.ask(None);
        assert_eq!(errand.pid(), Some(first));
        assert!(!errand.has_ended(first + 1) && errand.has_ended(first));
        let second = errand.pid().expect("the next one runs");
        assert!(second != first && errand.has_ended(second));
        assert_eq!(errand.pid(), None);
    }
}
