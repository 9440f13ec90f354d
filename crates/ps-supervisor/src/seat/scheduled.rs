//! A seat of a type with a schedule.

use formation::Exit;
use jiff::Timestamp;
use timetable::{Course, Due, Timetable};
use type_settings::Overlap;

use super::Seat;
use crate::diary::{Happening, Occasion};
use crate::means::Means;
use crate::restart::Death;
use crate::seat_table::{AfterDeath, Event, Held};
use crate::spec::Spec;

impl Seat {
    /// The spec says that it is filled when it is due. What fills it because it always was to ends; a run by schedule runs on.
    pub(crate) fn go_by(&mut self, timetable: &Timetable, means: &mut Means) {
        let now = Timestamp::now();
        let status = &mut self.current.settled(&self.slot, &self.directory, means).status;
        let mut course = if let Some(course) = status.course.take() {
            course.carried_on(timetable, now)
        } else {
            if status.process.is_some() || self.held == Held::Backoff {
                self.handle(Event::Stop, means);
            }
            Course::begin(timetable, now)
        };
        if std::mem::take(&mut self.has_begun) {
            // An earlier supervisor has started this run and could not write down for which time.
            course.pass(timetable, now);
        }
        let current = self.current.settled(&self.slot, &self.directory, means);
        current.status.course = Some(course);
        current.mark_changed();
        self.handle(Event::Schedule, means);
    }

    /// It has no schedule any more.
    pub(crate) fn leave_schedule(&mut self) {
        if let Some(current) = self.current.run_mut()
            && current.status.course.take().is_some()
        {
            current.mark_changed();
        }
    }

    /// Looks at the clock, and returns what is due; the caller has to do it.
    pub(crate) fn look_at_course(&mut self, timetable: &Timetable, now: Timestamp) -> Due {
        let Some(current) = self.current.run_mut() else { return Due::NotYet };
        let Some(course) = &mut current.status.course else { return Due::NotYet };
        let before = course.next();
        let due = course.look(timetable, now);
        if course.next() != before {
            current.mark_changed();
        }
        due
    }

    /// The run that was due is left out, or begins elsewhere: that is written down before.
    pub(crate) fn settle_course(&mut self, means: &mut Means) {
        if let Some(course) = self.current.run_mut().and_then(|run| run.status.course.as_mut()) {
            course.settle();
            self.current.mark_changed();
            self.take_change(means);
            self.current.mark_changed();
        }
    }

    /// The run of which it is unknown whether an earlier supervisor has started it. Returned only once.
    pub(crate) fn take_doubt(&mut self) -> Option<String> {
        let is_in_doubt = std::mem::take(&mut self.is_in_doubt);
        self.current.run().filter(|_| is_in_doubt)?.status.note.clone()
    }

    /// The next time at which it is due.
    pub(crate) fn next_time(&self) -> Option<Timestamp> {
        self.course()?.next()
    }

    /// Whether its type runs by a schedule.
    pub(crate) fn runs_by_schedule(&self, spec: &Spec) -> bool {
        spec.settings(&self.slot.process_type).is_some_and(|settings| settings.schedule.is_some())
    }

    /// Whether a run fills it.
    pub(crate) fn is_filled(&self) -> bool {
        self.held == Held::Filled
    }

    /// Whether it was opened for one run beside others.
    pub(crate) fn is_extra(&self, overlap: Overlap) -> bool {
        overlap == Overlap::Allow && self.next_time().is_none()
    }

    /// Whether it was opened for one run beside others, and that run is over.
    pub(crate) fn is_extra_and_over(&self) -> bool {
        self.held == Held::Scheduled && self.course().is_none()
    }

    fn course(&self) -> Option<&Course> {
        self.current.run()?.status.course.as_ref()
    }

    /// Tells of a run by schedule that has failed for good.
    pub(super) fn tell_failure(&self, death: &Death, verdict: AfterDeath, means: &mut Means) {
        let Some(current) = self.current.run() else { return };
        let terms = current.terms(means);
        if verdict != AfterDeath::Await || terms.rules().are_met(death) {
            return;
        }
        let status = &current.status;
        let exit = death.exit.as_ref().map_or_else(|| "nobody saw how it ended".to_owned(), Exit::to_string);
        let what = match &status.reason {
            Some(reason) => format!("run {} failed: {reason} ({exit})", status.run),
            None => format!("run {} failed: {exit}", status.run),
        };
        means.diary.note(Happening {
            occasion: Occasion::Schedule,
            slots: vec![self.slot.clone()],
            run: Some(status.run),
            what,
            is_failure: true,
        });
    }
}
