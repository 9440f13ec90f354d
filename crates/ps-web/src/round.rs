//! The state of apps from one look to the next, and the questions to schedulers. Each scheduler is asked separately, so that one that
//! hangs does not affect the others; its last answer is kept, and it is named.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use app_watch::Changed;
use formation::AppName;
use jiff::Timestamp;
use ps_apps::{SchedulerName, World};
use ps_rows::StatusRow;
use ps_schedulers::Answers;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time;

use crate::snapshot::{Silence, Snapshot};

/// How long a look waits for a scheduler. A later answer is used by the next look.
const PATIENCE: Duration = Duration::from_millis(900);
/// After this time a scheduler is reported as not answering.
const NAMED: Duration = Duration::from_secs(3);

/// The state that is kept from one look to the next.
pub(crate) struct Round {
    world: World,
    listed: Listed,
    /// The questions without an answer so far.
    asked: BTreeMap<SchedulerName, Question>,
    /// Native apps that have changed, but could not be asked about yet.
    waiting: BTreeSet<AppName>,
    known: BTreeMap<AppName, Known>,
    /// The apps about which the last question had no answer.
    unanswered: Vec<Silence>,
    /// When all schedulers were last asked.
    taken: Option<Instant>,
}

/// The apps that a look asks about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// All apps are listed, and all schedulers are asked.
    pub(crate) everything: bool,
    /// The schedulers that report no changes are asked.
    pub(crate) untold: bool,
    /// The apps with reported changes.
    pub(crate) changed: Changed,
}

impl Wanted {
    pub(crate) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }
}

struct Question {
    since: Instant,
    apps: Vec<AppName>,
    answer: JoinHandle<Answers>,
}

/// The last answer about an app, and the scheduler that gave it.
struct Known {
    scheduler: SchedulerName,
    rows: Arc<Vec<StatusRow>>,
    troubles: Vec<String>,
}

/// The apps with their schedulers, and the errors for those that could not be read.
#[derive(Default)]
struct Listed {
    schedulers: BTreeMap<AppName, SchedulerName>,
    silent: Vec<Silence>,
}

/// Asks every scheduler once, and waits until all have answered.
pub(crate) fn once(world: &World) -> Snapshot {
    let mut round = Round::new(world.clone());
    round.listed = listed(world);
    for (name, apps) in round.listed.by_scheduler() {
        let answers = ps_schedulers::statuses_of(world, &name, apps.clone());
        round.take(&apps, answers);
    }
    round.taken = Some(Instant::now());
    round.snapshot(Vec::new())
}

impl Round {
    pub(crate) fn new(world: World) -> Self {
        let (listed, asked, waiting, known, unanswered) = Default::default();
        Self { world, listed, asked, waiting, known, unanswered, taken: None }
    }

    /// The apps of the last look.
    pub(crate) fn apps(&self) -> BTreeSet<AppName> {
        self.listed.schedulers.keys().cloned().collect()
    }

    /// Whether a scheduler that reports no changes has apps.
    pub(crate) fn has_untold(&self) -> bool {
        self.listed.schedulers.values().any(|name| *name != SchedulerName::Native)
    }

    /// Whether a scheduler has not answered yet.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.asked.is_empty() || !self.waiting.is_empty()
    }

    /// Asks the wanted questions, and waits for the answers for a limited time.
    pub(crate) async fn look(&mut self, wanted: &Wanted) -> Snapshot {
        let changed = wanted.changed.states.iter().chain(&wanted.changed.journals);
        self.waiting.extend(changed.cloned());
        self.relist().await;
        for (name, apps) in self.questions(wanted) {
            let (world, asked, scheduler) = (self.world.clone(), apps.clone(), name.clone());
            let answer = spawn_blocking(move || ps_schedulers::statuses_of(&world, &scheduler, asked));
            self.asked.insert(name, Question { since: Instant::now(), apps, answer });
        }
        let silent = self.answers().await;
        if wanted.everything {
            self.taken = Some(Instant::now());
        }
        self.snapshot(silent)
    }

    /// Lists the apps. Later questions are about these.
    pub(crate) async fn list(&mut self) {
        let before = self.apps();
        let world = self.world.clone();
        let listed = spawn_blocking(move || listed(&world)).await;
        self.listed = listed.unwrap_or_else(|panic| Listed {
            silent: vec![Silence::of(Vec::new(), panic.to_string())],
            ..Listed::default()
        });
        let schedulers = &self.listed.schedulers;
        self.known.retain(|app, known| schedulers.get(app) == Some(&known.scheduler));
        self.unanswered.retain(|silence| {
            silence.apps.iter().any(|app| app.parse().is_ok_and(|app: AppName| schedulers.contains_key(&app)))
        });
        self.waiting.extend(schedulers.keys().filter(|app| !before.contains(*app)).cloned());
        self.waiting.retain(|app| schedulers.contains_key(app));
    }

    /// Reads again which scheduler the apps have, because a deploy may have changed it.
    async fn relist(&mut self) {
        let (world, apps) = (self.world.clone(), self.waiting.clone());
        self.waiting.retain(|app| self.listed.schedulers.contains_key(app));
        if apps.is_empty() {
            return;
        }
        let names = spawn_blocking(move || {
            let name = |app: AppName| Some((world.scheduler_name(&app).ok()?, app));
            apps.into_iter().filter_map(name).collect::<Vec<_>>()
        });
        for (name, app) in names.await.unwrap_or_default() {
            if let Some(listed) = self.listed.schedulers.get_mut(&app) {
                *listed = name;
            }
        }
    }

    /// For each scheduler that is not being asked at the moment, the apps to ask about.
    fn questions(&mut self, wanted: &Wanted) -> BTreeMap<SchedulerName, Vec<AppName>> {
        let mut questions = if wanted.everything || wanted.untold || !self.waiting.is_empty() {
            self.listed.by_scheduler()
        } else {
            BTreeMap::new()
        };
        questions.retain(|name, apps| {
            let has_changed = apps.iter().any(|app| self.waiting.contains(app));
            let is_native = *name == SchedulerName::Native;
            if self.asked.contains_key(name) {
                return false;
            }
            if is_native && !wanted.everything {
                apps.retain(|app| self.waiting.contains(app));
            }
            wanted.everything || has_changed || (wanted.untold && !is_native)
        });
        for app in questions.values().flatten() {
            self.waiting.remove(app);
        }
        questions
    }

    /// Waits for answers, and takes them. Returns the schedulers that have not answered for a long time.
    async fn answers(&mut self) -> Vec<Silence> {
        let mut silent = Vec::new();
        for (scheduler, mut question) in std::mem::take(&mut self.asked) {
            // A question that was waited for in an earlier look is not waited for again; only an answer that has come is taken.
            let deadline = time::Instant::from_std(question.since + PATIENCE);
            match time::timeout_at(deadline, &mut question.answer).await {
                Ok(Ok(answers)) => self.take(&question.apps, answers),
                Ok(Err(panic)) => {
                    silent.push(Silence::of(names(&question.apps), panic.to_string()));
                }
                Err(_) => {
                    let waited = question.since.elapsed();
                    let is_first = !question.apps.iter().any(|app| self.known.contains_key(app));
                    if waited >= NAMED || is_first {
                        let reason = slow(&scheduler, waited);
                        silent.push(Silence::of(names(&question.apps), reason));
                    }
                    self.asked.insert(scheduler, question);
                }
            }
        }
        silent
    }

    /// Takes the answers to a question about these apps.
    fn take(&mut self, apps: &[AppName], answers: Answers) {
        let asked: BTreeSet<&str> = apps.iter().map(AppName::as_str).collect();
        self.unanswered.retain(|silence| !silence.apps.iter().any(|app| asked.contains(app.as_str())));
        let silent = answers.silent.into_iter();
        self.unanswered.extend(silent.map(|silence| Silence::of(names(&silence.apps), silence.reason)));
        for (app, (scheduler, status)) in answers.statuses {
            // The app may have been removed, or may have got another scheduler, since the question.
            if self.listed.schedulers.get(&app) != Some(&scheduler) {
                continue;
            }
            let troubles = status.troubles.clone();
            let rows = StatusRow::of_app(scheduler.as_str(), status);
            // Unchanged rows keep their allocation, so that a comparison of pointers shows that they are equal.
            let before = self.known.remove(&app).map(|known| known.rows).filter(|before| **before == rows);
            let rows = before.unwrap_or_else(|| Arc::new(rows));
            self.known.insert(app, Known { scheduler, rows, troubles });
        }
    }

    fn snapshot(&self, waiting: Vec<Silence>) -> Snapshot {
        let apps = self.known.iter().map(|(app, known)| (app.clone(), Arc::clone(&known.rows))).collect();
        let troubles = self.known.iter().flat_map(|(app, known)| {
            known.troubles.iter().map(|reason| Silence::trouble(app.as_str(), reason.clone()))
        });
        let mut silent = self.listed.silent.clone();
        silent.extend(self.unanswered.iter().cloned());
        silent.extend(troubles);
        silent.extend(waiting);
        Snapshot { number: 0, at: Timestamp::now(), taken: self.taken, apps, silent }
    }
}

impl Listed {
    fn by_scheduler(&self) -> BTreeMap<SchedulerName, Vec<AppName>> {
        let mut by_scheduler: BTreeMap<SchedulerName, Vec<AppName>> = BTreeMap::new();
        for (app, name) in &self.schedulers {
            by_scheduler.entry(name.clone()).or_default().push(app.clone());
        }
        by_scheduler
    }
}

fn slow(scheduler: &SchedulerName, waited: Duration) -> String {
    match waited.as_secs() {
        0 => format!("{scheduler} has not answered yet"),
        seconds => format!("{scheduler} has not answered for {seconds} s"),
    }
}

fn names(apps: &[AppName]) -> Vec<String> {
    apps.iter().map(ToString::to_string).collect()
}

fn listed(world: &World) -> Listed {
    let mut listed = Listed::default();
    let apps = match world.apps() {
        Ok(apps) => apps,
        Err(error) => {
            listed.silent.push(Silence::of(Vec::new(), error.to_string()));
            return listed;
        }
    };
    for app in apps {
        match world.scheduler_name(&app.name) {
            Ok(scheduler) => drop(listed.schedulers.insert(app.name, scheduler)),
            Err(error) => {
                listed.silent.push(Silence::of(vec![app.name.to_string()], error.to_string()));
            }
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use ps_scheduler::AppStatus;
    use ps_schedulers::Silent;

    use super::*;

    fn app(word: &str) -> AppName {
        word.parse().expect("a name")
    }

    /// A state with two native apps, and two in containers.
    fn round() -> Round {
        let mut round = Round::new(World::new("/nowhere/home", "/nowhere/lib"));
        let schedulers = [
            ("blog", SchedulerName::Native),
            ("shop", SchedulerName::Native),
            ("boat", SchedulerName::DockerLocal),
            ("ship", SchedulerName::DockerLocal),
        ];
        round.listed.schedulers = schedulers.into_iter().map(|(word, name)| (app(word), name)).collect();
        round
    }

    fn asked(round: &mut Round, wanted: &Wanted) -> Vec<String> {
        round.questions(wanted).values().map(|apps| names(apps).join(" ")).collect()
    }

    #[test]
    fn a_native_app_is_asked_about_alone_and_containers_are_together() {
        let mut round = round();
        assert_eq!(asked(&mut round, &Wanted::everything()), ["blog shop", "boat ship"]);
        assert_eq!(asked(&mut round, &Wanted::default()), [""; 0]);
        let untold = Wanted { untold: true, ..Wanted::default() };
        assert_eq!(asked(&mut round, &untold), ["boat ship"]);
        round.waiting = [app("shop")].into();
        assert_eq!(asked(&mut round, &Wanted::default()), ["shop"]);
        round.waiting = [app("ship")].into();
        assert_eq!(asked(&mut round, &Wanted::default()), ["boat ship"]);
        assert!(round.waiting.is_empty() && round.has_untold());
    }

    #[tokio::test]
    async fn what_changes_while_its_scheduler_hangs_is_asked_later() {
        let mut round = round();
        let answer = tokio::spawn(std::future::pending());
        let since = Instant::now().checked_sub(NAMED).expect("the machine has run for longer");
        let question = Question { since, apps: vec![app("blog")], answer };
        round.asked.insert(SchedulerName::Native, question);
        round.waiting = [app("shop")].into();
        assert_eq!(asked(&mut round, &Wanted::everything()), ["boat ship"]);
        assert!(round.is_waiting() && round.waiting.contains(&app("shop")));
        let silent = round.answers().await;
        assert_eq!(silent[0].apps, ["blog"], "it is named, without waiting for it again");
        round.asked.clear();
        assert_eq!(asked(&mut round, &Wanted::default()), ["shop"]);
    }

    #[test]
    fn an_answer_about_one_app_leaves_what_is_known_of_others() {
        let mut round = round();
        let silent = Answers {
            silent: vec![Silent { apps: vec![app("blog")], reason: "no spec".to_owned() }],
            ..Answers::default()
        };
        round.take(&[app("blog")], silent);
        let answer = |name: &str, trouble: Option<&str>| {
            let troubles = trouble.map(str::to_owned).into_iter().collect();
            let status = AppStatus { troubles, ..AppStatus::of(app(name), Vec::new()) };
            let statuses = [(app(name), (SchedulerName::Native, status))].into();
            Answers { statuses, ..Answers::default() }
        };
        round.take(&[app("shop")], answer("shop", Some("no supervisor")));
        let reasons = |round: &Round| -> Vec<String> {
            round.snapshot(Vec::new()).silent.into_iter().map(|silence| silence.reason).collect()
        };
        assert_eq!(reasons(&round), ["no spec", "no supervisor"]);
        round.take(&[app("blog")], answer("blog", None));
        assert_eq!(reasons(&round), ["no supervisor"]);
        let before = Arc::clone(&round.known[&app("shop")].rows);
        round.take(&[app("shop")], answer("shop", None));
        assert_eq!(reasons(&round), [""; 0]);
        assert!(Arc::ptr_eq(&before, &round.known[&app("shop")].rows), "the rows are as they were");
        // The app got another scheduler while it was asked about.
        round.listed.schedulers.insert(app("blog"), SchedulerName::DockerLocal);
        round.take(&[app("blog")], answer("blog", Some("old")));
        assert_eq!(reasons(&round), [""; 0]);
    }
}
