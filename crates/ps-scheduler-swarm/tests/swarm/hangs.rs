//! A manager that hangs: a verb comes back within its deadline whichever of its requests gets no answer, and with a true word; and the same verb
//! again, once the manager answers, ends as it was asked. The engine behind the proxy is a real one; only the silence is made.

use std::io::{self, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use formation::Which;
use ps_scheduler::{Cancel, Error, Intent, Leftover, Plan, Requester, Scheduler, Task};
use ps_scheduler_swarm::Swarm;
use swarm_cluster::Cluster;

use crate::place::Place;

/// The limit of these verbs by docs/schedulers.md: to bring up and to put back one instance, a minute, two minutes of silence.
const LIMIT: Duration = Duration::from_secs(360);
/// In a long run each answer comes after so long, which is just within the time of one request.
const SLOW: Duration = Duration::from_secs(9);

/// How the manager behaves.
#[derive(Clone, Copy, Debug)]
enum Manner {
    /// After this number of answers it gives none any more.
    HangsAfter(usize),
    /// It does what this request asks, and says nothing of it; everything else is as usual.
    SwallowsOne(usize),
    /// Each answer comes late.
    IsSlow,
}

/// Listens on `socket` for the engine on another one.
fn proxy(engine: &Path, socket: &Path, manner: Manner) {
    let listener = UnixListener::bind(socket).expect("a socket");
    let engine = engine.to_owned();
    thread::spawn(move || {
        let mut held = Vec::new();
        for (count, client) in listener.incoming().flatten().enumerate() {
            let hangs = matches!(manner, Manner::HangsAfter(after) if count >= after);
            let swallows = matches!(manner, Manner::SwallowsOne(one) if count == one);
            if hangs {
                held.push(client);
                continue;
            }
            let held = swallows.then(|| held.push(client.try_clone().expect("a socket")));
            let engine = engine.clone();
            thread::spawn(move || {
                let request = engine_proxy::head_and_body(&client);
                if matches!(manner, Manner::IsSlow) {
                    thread::sleep(SLOW);
                }
                let mut engine = UnixStream::connect(&engine).expect("the engine");
                engine.write_all(&request).expect("takes the request");
                if held.is_some() {
                    let _ = io::copy(&mut engine, &mut io::sink());
                } else {
                    let _ = io::copy(&mut engine, &mut &client);
                }
            });
        }
    });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Deploy,
    Scale,
    Restart,
    Stop,
    Destroy,
    EndInterrupted,
    Retire,
    Task,
    Status,
}

impl Verb {
    fn intent(self) -> Intent {
        match self {
            Self::Deploy => Intent::Deploy,
            Self::Restart => Intent::Restart(Which::All),
            _ => Intent::Converge(Which::All),
        }
    }

    fn wanted(self) -> &'static str {
        if self == Self::Scale { "web=2" } else { "web=1" }
    }

    fn plan(self, place: &Place) -> Plan {
        place.plan(place.release("exec sleep 1000"), &[self.wanted()], &self.intent())
    }

    /// Carries it out; `plan` was made before the manager began to hang.
    fn carry_out(self, place: &Place, plan: &Plan, swarm: &Swarm) -> Result<(), Error> {
        let (cancel, mut tell) = (Cancel::default(), |_| ());
        let requester = &mut Requester { tell: &mut tell, cancel: &cancel, lock: None };
        let stop = |remove| ps_scheduler::StopOrder {
            app: place.app.clone(),
            which: Which::All,
            grace: crate::place::GRACE,
            remove,
        };
        match self {
            Self::Deploy | Self::Scale | Self::Restart => swarm.deploy(plan, requester).map(drop),
            Self::Stop => swarm.stop(&stop(false), requester).map(drop),
            Self::Destroy => swarm.stop(&stop(true), requester).map(drop),
            Self::EndInterrupted => swarm.end_interrupted(&place.app, Leftover::Awaited, requester),
            Self::Retire => swarm.retire(Some(&place.app)).map(drop),
            Self::Task => {
                let task = Task {
                    process_type: "release".parse().expect("a type"),
                    command: "sleep 1".to_owned(),
                    effect: ps_scheduler::Effect::NothingChanges,
                };
                swarm.run_task(plan, &task, requester)
            }
            Self::Status => swarm.status_of(&place.app).map(drop),
        }
    }
}

/// Whether a verb has certainly asked for a change when the manager begins to hang.
fn has_begun(case: &(Verb, Manner)) -> bool {
    matches!(
        case,
        (Verb::Scale | Verb::Deploy, Manner::HangsAfter(15..))
            | (Verb::Stop, Manner::HangsAfter(5))
            | (Verb::Destroy, Manner::HangsAfter(8))
    )
}

/// Lets one verb meet such a manager, and then the usual one.
fn one(engine: &Path, number: usize, (verb, manner): (Verb, Manner)) -> String {
    let place = Place::for_app(&format!("shop{number}"), engine);
    place.deploy("exec sleep 1000", &["web=1"]).0.expect("it comes up");
    let socket: PathBuf = place.dir().join("proxy.sock");
    proxy(engine, &socket, manner);
    let (plan, begin) = (verb.plan(&place), Instant::now());
    let result = verb.carry_out(&place, &plan, &Swarm::at(&place.world(), &socket));
    let (took, what) = (begin.elapsed(), format!("{verb:?}, {manner:?}"));
    assert!(took < LIMIT, "{what}: back after {took:?}");
    let said = result.as_ref().map_or_else(ToString::to_string, |()| "done".to_owned());
    let case = (verb, manner);
    if let Err(error) = &result {
        assert!(
            matches!(error, Error::Unreachable { .. }),
            "{what}: what is not known is called a failure: {said}"
        );
        assert!(
            !said.contains('\n') && said.matches("did not answer").count() == 1,
            "{what}: one line: {said}"
        );
        let is_true =
            said.contains("unknown: how far") && said.contains("ask again with ps-lifecycle status shop");
        assert!(is_true || !has_begun(&case), "{what}: it had begun: {said}");
    }
    let again = verb.carry_out(&place, &verb.plan(&place), &place.swarm);
    again.unwrap_or_else(|error| panic!("{what}: the same again: {error}"));
    match verb {
        Verb::Stop => assert_eq!(place.rows(), ["web.1 stopped"], "{what}"),
        Verb::Destroy => assert_eq!(place.rows(), [""; 0], "{what}"),
        Verb::Scale => assert_eq!(place.rows(), ["web.1 running", "web.2 running"], "{what}"),
        _ => assert_eq!(place.rows(), ["web.1 running"], "{what}"),
    }
    place.stop("", true).expect("is removed");
    format!("{what}: back after {:.1} s: {said}", took.as_secs_f64())
}

fn cases() -> Vec<(Verb, Manner)> {
    let hangs = [
        (Verb::Deploy, [0, 3, 6, 9, 12, 15].as_slice()),
        (Verb::Scale, &[4, 8, 12]),
        (Verb::Restart, &[7, 13]),
        (Verb::Stop, &[0, 3, 5]),
        (Verb::Destroy, &[4, 8]),
        (Verb::EndInterrupted, &[1]),
        (Verb::Retire, &[1]),
        (Verb::Task, &[2, 6, 10]),
        (Verb::Status, &[0, 2]),
    ];
    let hangs = hangs
        .into_iter()
        .flat_map(|(verb, counts)| counts.iter().map(move |count| (verb, Manner::HangsAfter(*count))));
    let swallowed = (4..=12).step_by(2).map(|count| (Verb::Deploy, Manner::SwallowsOne(count)));
    let is_long = std::env::var_os("FORMATION_TEST_LONG").is_some_and(|value| value == "1");
    let slow = [Verb::Deploy, Verb::Stop, Verb::Status].map(|verb| (verb, Manner::IsSlow));
    hangs.chain(swallowed).chain(slow.into_iter().filter(|_| is_long)).collect()
}

#[test]
fn whichever_request_gets_no_answer_a_verb_comes_back_in_time_and_the_same_again_makes_it_right() {
    let Some(cluster) = Cluster::up(1) else { return };
    let engine = cluster.socket(1);
    // Nearly all of the time is waiting, so all of it happens together.
    let told: Vec<String> = thread::scope(|scope| {
        let engine = &engine;
        let each = cases().into_iter().enumerate();
        let threads: Vec<_> = each.map(|(n, case)| scope.spawn(move || one(engine, n, case))).collect();
        threads.into_iter().map(|thread| thread.join().expect("the thread says why")).collect()
    });
    // Past the capture of the harness: what each verb said is what a reader wants to know.
    let _ = writeln!(io::stderr().lock(), "{}", told.join("\n"));
    assert_eq!(cluster.docker(1, &["service", "ls", "-q"]), "");
}
