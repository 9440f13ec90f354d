//! Schedulers that are plugins: asked through triggers, side by side, each with a deadline.

use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use formation::AppName;
use ps_apps::World;
use ps_scheduler::Running;
use ps_triggers::Triggers;

use crate::status::Seen;
use crate::subjects::complain;

/// How long one plugin may take to answer for one app.
const DEADLINE: Duration = Duration::from_secs(10);

/// How many plugins are asked at the same time.
const AT_ONCE: usize = 8;

/// What the plugin says of each app (`scheduler-app-status`: `<n> <true|false|mixed>`).
pub(crate) fn ask(world: &World, scheduler: &str, apps: Vec<AppName>) -> Vec<(AppName, Seen)> {
    let triggers = triggers(world);
    let workers = apps.len().min(AT_ONCE);
    let waiting = Mutex::new(apps.into_iter());
    let answers = Mutex::new(Vec::new());
    let next = || waiting.lock().ok().and_then(|mut apps| apps.next());
    let work = || {
        while let Some(app) = next() {
            let seen = ask_one(&triggers, scheduler, &app);
            if let Ok(mut answers) = answers.lock() {
                answers.push((app, seen));
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(work);
        }
    });
    answers.into_inner().unwrap_or_default()
}

/// Whether the plugin has the app deployed (`scheduler-is-deployed`); no plugin, or no answer, is no.
pub(crate) fn is_deployed(world: &World, scheduler: &str, app: &AppName) -> bool {
    let is_answered = || triggers(world).is_implemented("scheduler-is-deployed").unwrap_or(false);
    is_answered() && triggers(world).call("scheduler-is-deployed", &[scheduler, app.as_str()]).is_ok()
}

fn triggers(world: &World) -> Triggers {
    Triggers::new(world).with_deadline(DEADLINE).with_captured_stderr()
}

fn ask_one(triggers: &Triggers, scheduler: &str, app: &AppName) -> Seen {
    let answer = match triggers.call("scheduler-app-status", &[scheduler, app.as_str()]) {
        Ok(output) => output.text(),
        Err(error) => {
            complain(&format!("{app}: {error}"));
            return Seen::unknown();
        }
    };
    parse(&answer).unwrap_or_else(|| {
        let said = if answer.is_empty() { "nothing".to_owned() } else { format!("{answer:.60?}") };
        complain(&format!(
            "{app}: the plugins were asked for its status by scheduler {scheduler} and said {said}"
        ));
        Seen::unknown()
    })
}

fn parse(answer: &str) -> Option<Seen> {
    let (count, running) = answer.split_once(' ')?;
    let running = match running.trim() {
        "true" => Running::True,
        "false" => Running::False,
        "mixed" => Running::Mixed,
        _ => return None,
    };
    Some(Seen { processes: count.parse().unwrap_or(-1), running, slots: Vec::new(), trouble: None })
}
