//! Reports the progress of a verb: as lines, as a line for each instance that is rewritten in place on a terminal, or
//! as events for a program.

mod board;
mod events;
mod live;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use formation::AppName;
use ps_cli::exit::{self, Outcome, Refusal};
use ps_cli::{say, screen};
use ps_rows::{EventRow, Phase};
use ps_scheduler::{DeployOutcome, Error, Plan, Progress, Stopped};
use signal_hook::consts::SIGCONT;

use self::board::{Board, Turn};
use self::events::Events;
use crate::args::{Args, Telling, TellingArgs, Verb};

/// How often it is checked whether a line has to be rewritten.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Reports what one verb does, for all its apps.
#[derive(Debug)]
pub(crate) struct Teller {
    manner: Manner,
    verb: String,
    /// Whether another program writes the last event, because this verb is a part of its work.
    is_part: bool,
    app: Option<String>,
    began: Instant,
    boards: Mutex<BTreeMap<AppName, Board>>,
}

#[derive(Debug)]
enum Manner {
    /// A line for each event.
    Lines,
    /// A line for each instance, rewritten in place. The flag is set when the program continues after it was stopped.
    Live(Arc<AtomicBool>),
    /// A JSON object for each event.
    Events(Events),
}

/// Ends the thread that rewrites the lines, even if the verb panics: otherwise the program would wait for the thread
/// for ever.
struct EndsWithTheDeed<'a> {
    is_over: &'a AtomicBool,
    ticker: &'a Thread,
}

impl Drop for EndsWithTheDeed<'_> {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.ticker.unpark();
    }
}

impl Teller {
    /// A reporter that prints only lines.
    pub(crate) fn in_lines() -> Self {
        let (began, boards) = (Instant::now(), Mutex::default());
        Self { manner: Manner::Lines, verb: String::new(), is_part: false, app: None, began, boards }
    }

    /// The reporter for these arguments and this terminal. Inside Dokku it prints Dokku's own lines.
    pub(crate) fn of(args: &Args, is_quiet: bool) -> Result<Self> {
        let Some(telling) = args.verb.telling() else { return Ok(Self::in_lines()) };
        let Telling { verb, is_part, app, is_json } = telling;
        let manner = if is_json {
            if say::inside_dokku() {
                return Err(Refusal::usage("inside Dokku there are no events: leave --format json out"));
            }
            Manner::Events(Events::take_stdout()?)
        } else if !is_quiet && !say::inside_dokku() && screen::is_fit() {
            let flag = Arc::new(AtomicBool::new(false));
            signal_hook::flag::register(SIGCONT, Arc::clone(&flag)).context("watch for signals")?;
            Manner::Live(flag)
        } else {
            Manner::Lines
        };
        Ok(Self { manner, verb: verb.to_owned(), is_part, app: app.map(str::to_owned), ..Self::in_lines() })
    }

    /// Whether nothing but events may be printed, except the reason of a failure.
    pub(crate) fn is_for_a_program(&self) -> bool {
        matches!(self.manner, Manner::Events(_))
    }

    /// Whether progress is printed as lines that stay.
    pub(crate) fn is_in_lines(&self) -> bool {
        matches!(self.manner, Manner::Lines)
    }

    /// Runs `deed` for an app, and reports its beginning and its end.
    pub(crate) fn of_app<T>(&self, app: &AppName, deed: impl FnOnce() -> Result<T>) -> Result<T> {
        let began = Instant::now();
        self.boards().insert(app.clone(), Board::new(began));
        self.write(Some(app), Turn::of_app("begun", Duration::ZERO, None));
        let done = deed();
        let (outcome, reason) = how(&done);
        self.write(Some(app), Turn::of_app(outcome, began.elapsed(), reason));
        done
    }

    /// Reports that a plan is going to be carried out.
    pub(crate) fn plans(&self, plan: &Plan) {
        self.note(&plan.release.app, |board, now| board.plan(plan, now));
    }

    /// Reports the outcome of a plan.
    pub(crate) fn concludes(&self, app: &AppName, done: &Result<DeployOutcome, Error>) {
        self.note(app, |board, now| board.conclude(done, now));
    }

    /// Reports the outcome of a stop.
    pub(crate) fn concludes_stop(&self, app: &AppName, stopped: &Stopped) {
        self.note(app, |board, now| board.conclude_stop(stopped, now));
    }

    /// Receives a progress message. Returns true if the caller has to print it as a line.
    pub(crate) fn hears(&self, app: &AppName, progress: &Progress) -> bool {
        self.note(app, |board, now| board.hear(progress, now));
        let is_of_instance = matches!(
            progress,
            Progress::Started(_)
                | Progress::Ready(_)
                | Progress::Ended(..)
                | Progress::CalledOff(_)
                | Progress::Now { .. }
        );
        match self.manner {
            Manner::Lines => !matches!(progress, Progress::Now { .. }),
            Manner::Live(_) => !is_of_instance,
            Manner::Events(_) => false,
        }
    }

    /// Runs `deed`, and keeps the lines on the terminal up to date meanwhile. At its end they stay, unless `is_quiet`.
    pub(crate) fn watched<T>(&self, app: &AppName, is_quiet: bool, deed: impl FnOnce() -> T) -> T {
        let Manner::Live(goes_on) = &self.manner else { return deed() };
        let is_over = AtomicBool::new(false);
        let done = thread::scope(|scope| {
            let ticker = scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    thread::park_timeout(LOOK_AGAIN);
                    if goes_on.swap(false, Ordering::Relaxed) {
                        screen::begin_anew();
                    }
                    self.show(&self.boards());
                }
            });
            let _ends = EndsWithTheDeed { is_over: &is_over, ticker: ticker.thread() };
            deed()
        });
        let mut boards = self.boards();
        if let Some(board) = boards.get_mut(app) {
            let last = live::lines([(app, &*board)].into_iter(), self.names_apps(), true, Instant::now());
            screen::leave(if is_quiet { &[] } else { &last });
            board.clear();
            self.show(&boards);
        }
        done
    }

    /// Reports the end of the verb: the last event, after which nothing is written.
    pub(crate) fn ends(&self, done: &Result<Outcome>, is_given_up: impl Fn() -> bool) {
        let Manner::Events(events) = &self.manner else { return };
        if !self.is_part {
            let last = EventRow::last(&self.verb, self.began.elapsed(), exit::status(done));
            let (outcome, reason) = how(done);
            let outcome = if done.is_err() { Some(outcome) } else { last.outcome };
            events.write(&EventRow { app: self.app.as_deref(), outcome, reason, ..last });
        }
        events.end(is_given_up);
    }

    fn note(&self, app: &AppName, deed: impl FnOnce(&mut Board, Instant) -> Vec<Turn>) {
        if matches!(self.manner, Manner::Lines) {
            return;
        }
        let mut boards = self.boards();
        let board = boards.entry(app.clone()).or_insert_with(|| Board::new(self.began));
        let turns = deed(board, Instant::now());
        self.show(&boards);
        for turn in turns {
            self.write(Some(app), turn);
        }
    }

    fn write(&self, app: Option<&AppName>, turn: Turn) {
        let Manner::Events(events) = &self.manner else { return };
        let Turn { slot, run, phase, outcome, took, reason, receipt, canary } = turn;
        events.write(&EventRow {
            verb: &self.verb,
            phase,
            app: app.map(AppName::as_str),
            instance: slot.map(|slot| slot.to_string()),
            run,
            outcome,
            duration_ms: ps_rows::millis(took),
            reason,
            receipt,
            canary,
            exit_status: None,
        });
    }

    fn show(&self, boards: &BTreeMap<AppName, Board>) {
        if matches!(self.manner, Manner::Live(_)) {
            screen::show(live::lines(boards.iter(), self.names_apps(), false, Instant::now()));
        }
    }

    fn names_apps(&self) -> bool {
        self.app.is_none()
    }

    fn boards(&self) -> MutexGuard<'_, BTreeMap<AppName, Board>> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turn {
    fn of_app(outcome: &'static str, took: Duration, reason: Option<String>) -> Self {
        let (slot, run, receipt, canary) = Default::default();
        Self { slot, run, phase: Phase::App, outcome: Some(outcome), took, reason, receipt, canary }
    }
}

/// The outcome as one word, and the reason of a failure.
fn how<T>(done: &Result<T>) -> (&'static str, Option<String>) {
    match done {
        Ok(_) => ("done", None),
        Err(error) if matches!(error.downcast_ref(), Some(Error::Cancelled)) => {
            ("cancelled", Some(format!("{error:#}")))
        }
        Err(error) => ("failed", Some(format!("{error:#}"))),
    }
}

impl Verb {
    /// How the verb reports its progress. `None`: it changes no instance, or only prints what it would change.
    pub(crate) fn telling(&self) -> Option<Telling<'_>> {
        let of = |verb, app, telling: TellingArgs| {
            Some(Telling { verb, is_part: false, app, is_json: telling.is_json() })
        };
        match self {
            Self::Deploy(args) if !args.dry_run => of("deploy", Some(&args.app), args.telling),
            Self::Apply(args) if !args.only_looks() => of("apply", args.app.as_deref(), args.telling),
            Self::Converge(args) if !args.dry_run => Some(Telling {
                verb: args.part_of.as_deref().unwrap_or("converge"),
                is_part: args.part_of.is_some(),
                app: Some(&args.app),
                is_json: args.telling.is_json(),
            }),
            Self::Start(args) => of("start", args.app.as_deref(), args.all.telling),
            Self::Stop(args) => of("stop", args.app.as_deref(), args.all.telling),
            Self::Restart(args) => of("restart", args.target.app.as_deref(), args.target.all.telling),
            Self::Reload(args) => of("reload", args.app.as_deref(), args.all.telling),
            Self::Reset(args) => of("reset", args.app.as_deref(), args.all.telling),
            Self::Rebuild(args) => of("rebuild", args.app.as_deref(), args.all.telling),
            Self::Restore(args) => of("restore", args.app.as_deref(), args.all.telling),
            Self::Rollback(args) => of("rollback", Some(&args.app), args.telling),
            _ => None,
        }
    }
}
