//! The rules: a table of causes. The first rule that applies gives the answer. Each rule is a function of the facts,
//! and applies only if it is certain. If no rule applies, the cause is unknown.

mod circumstances;
mod signs;

use formation::{EndCause, Exit, State};
use ps_scheduler::Over;

use crate::case::{Case, Rule};
use crate::facts::{End, Facts, Known, Verb};
use crate::finding::{Evidence, Finding, Said};
use crate::words::{ago, signal, time};
pub(crate) use circumstances::circumstances;
use signs::{no_room, of_pattern, sign};

/// The causes. Certain causes come before likely ones, and requests of people before failures.
const CAUSES: &[Rule] = &[
    ("engine-away", engine_away),
    ("image-gone", image_gone),
    ("never-deployed", never_deployed),
    ("scaled-to-zero", scaled_to_zero),
    ("stopped-by-hand", stopped_by_hand),
    ("out-of-memory", out_of_memory),
    ("release-failed", release_failed),
    ("bad-config", bad_config),
    ("directory-missing", directory_missing),
    ("disk-full", disk_full),
    ("cannot-start", cannot_start),
    ("killed-by-operator", killed_by_operator),
    ("fault", fault),
    ("killed-from-outside", killed_from_outside),
    ("port-taken", port_taken),
    ("check-failed", check_failed),
    ("program-missing", program_missing),
    ("exit-status", ended_by_itself),
    ("no-supervisor", no_supervisor),
    ("container-gone", container_gone),
    ("waiting", waiting),
    ("starting", starting),
    ("finished", finished),
];

/// The cause of what is wrong with the case; `None`: unknown.
pub(crate) fn cause(case: Case<'_>) -> Option<Finding> {
    CAUSES.iter().find_map(|(cause, rule)| rule(case).map(|said| said.of(cause)))
}

fn engine_away(case: Case<'_>) -> Option<Said> {
    let silence = case.facts.silent.as_ref()?;
    let says = format!("what runs is not known: {}", silence.reason);
    let said = Said::new(says, [Evidence::Engine]);
    if case.facts.is_container && silence.is_away {
        return Some(
            said.cure("start the engine (systemctl start docker), or name its socket with DOCKER_HOST"),
        );
    }
    Some(said.cause("scheduler-silent"))
}

fn image_gone(case: Case<'_>) -> Option<Said> {
    let image = case.facts.lost_image.as_ref()?;
    case.it.filter(|it| !it.state.is_alive())?;
    let says = format!("the engine does not have the image {image} any more, from which it ran");
    let cure = format!("ps-lifecycle deploy {} from an image that is there", case.facts.app);
    Some(Said::new(says, [Evidence::Engine]).cure(cure))
}

fn never_deployed(case: Case<'_>) -> Option<Said> {
    let facts = case.facts;
    if facts.is_deployed || !facts.instances.is_empty() || case.it.is_some() {
        return None;
    }
    let said = Said::new("it was never deployed", [Evidence::Status]);
    Some(said.cure(format!("ps-lifecycle deploy {} --dir PATH", facts.app)))
}

fn scaled_to_zero(case: Case<'_>) -> Option<Said> {
    let facts = case.facts;
    if facts.wanted > 0 || case.it.is_some_and(|it| it.state.is_alive() || it.state == State::Crashed) {
        return None;
    }
    let scaled = facts.verbs.iter().rfind(|verb| matches!(verb.name.as_str(), "scale" | "deploy"));
    let by = scaled.map(|verb| format!(": {} by {} ({})", ago(facts, verb.at), verb.by, verb.words));
    let evidence = scaled.map(|verb| Evidence::Journal(verb.at));
    let says = format!("no instance of it is wanted{}", by.unwrap_or_default());
    Some(Said::new(says, evidence).cure(format!("ps-scale {} web=1", facts.app)))
}

fn stopped_by_hand(case: Case<'_>) -> Option<Said> {
    let (facts, it) = (case.facts, case.it?);
    let was_told = it.end.as_ref().is_some_and(|end| end.cause == Some(EndCause::Asked));
    let is_stopped = it.state == State::Stopped && it.over != Some(Over::Finished) && was_told;
    if it.over != Some(Over::StoppedByHand) && !is_stopped {
        return None;
    }
    let cure = format!("ps-lifecycle start {}", facts.app);
    let at = it.end.as_ref().and_then(|end| end.at).or(it.since);
    let stop = stopping(facts, at);
    Some(match stop {
        Some(verb) => {
            let says = format!("{} had it stopped {} ({})", verb.by, time(verb.at), verb.words);
            Said::new(says, [Evidence::Journal(verb.at)]).cure(cure)
        }
        None => {
            Said::new("it was stopped on purpose; who asked for that is not written down", [Evidence::Status])
                .cure(cure)
        }
    })
}

/// The verb that stopped it then.
fn stopping(facts: &Facts, at: Option<jiff::Timestamp>) -> Option<&Verb> {
    const STOPPING: [&str; 5] = ["stop", "scale", "retire", "destroy", "converge"];
    let ends = |verb: &&Verb| STOPPING.contains(&verb.name.as_str());
    let is_before = |verb: &&Verb| at.is_none_or(|at| verb.at.as_millisecond() <= at.as_millisecond() + 1000);
    facts.verbs.iter().filter(ends).rfind(is_before)
}

fn out_of_memory(case: Case<'_>) -> Option<Said> {
    let it = case.it?;
    let end = it.end.as_ref()?;
    let killed = end.out_of_memory?;
    let limit = match killed.limit_bytes {
        Some(bytes) => format!("it had reached its limit of {} MiB", bytes >> 20),
        None => "the memory of the machine had run out".to_owned(),
    };
    let whose = if killed.main { "it" } else { "a process that it had started" };
    let says = format!("the kernel killed {whose} for want of memory{}: {limit}", at(case.facts, end));
    let cure = match killed.limit_bytes {
        Some(_) => format!(
            "find out what it keeps in memory, or raise the limit: ps-set {} memory-max N",
            case.facts.app
        ),
        None => format!(
            "find out which process takes the memory (ps-lifecycle status, free -h), or limit it: ps-set {} memory-max N",
            case.facts.app
        ),
    };
    Some(Said::new(says, of_end(end)).cure(cure))
}

fn release_failed(case: Case<'_>) -> Option<Said> {
    let verb = failed_deploy(case.facts)?;
    let error = verb.failure()?;
    let task =
        ["release.1 of", "predeploy.1 of", "postdeploy.1 of"].iter().any(|task| error.starts_with(task));
    if !task || case.it.is_some_and(|it| it.state == State::Crashed) {
        return None;
    }
    let says = format!("a task that has to succeed before the new release runs did not: {error}");
    let cure =
        format!("mend it and deploy again; its output is in what the deploy of {} printed", time(verb.at));
    Some(Said::new(says, [Evidence::Journal(verb.at)]).cure(cure))
}

fn bad_config(case: Case<'_>) -> Option<Said> {
    const FILES: [&str; 7] = ["Procfile", "app.json", "DOKKU_SCALE", "CHECKS", ".env", "/ENV", "env file"];
    let verb = failed_deploy(case.facts)?;
    let error = verb.failure()?;
    // What a process said of a file is no refusal of ours: those begin with an instance's name.
    let is_of_instance =
        error.split(" of ").next().is_some_and(|word| word.parse::<formation::Slot>().is_ok());
    if case.it.is_some_and(Known::has_run) || is_of_instance || !FILES.iter().any(|file| error.contains(file))
    {
        return None;
    }
    let says = format!("the {} was refused for what stands in a file: {error}", verb.name);
    Some(Said::new(says, [Evidence::Journal(verb.at)]).cure("correct that file, and deploy again"))
}

fn directory_missing(case: Case<'_>) -> Option<Said> {
    let it = case.it.filter(|it| !it.state.is_alive())?;
    let (path, problem) = case.facts.directory.as_ref()?;
    let problem = problem.as_ref()?;
    let says =
        format!("the directory {} that {} runs in cannot be entered: {problem}", path.display(), it.slot);
    let cure = format!("put it back, or deploy {} from another one", case.facts.app);
    Some(Said::new(says, [Evidence::File(path.clone())]).cure(cure))
}

fn disk_full(case: Case<'_>) -> Option<Said> {
    let it = case.it?;
    let refused = it.refused.as_ref().map(|(at, reason)| (Some(*at), reason));
    let told = refused.into_iter().chain(it.note.iter().map(|note| (None, note)));
    let mut told = told.filter(|(_, text)| {
        text.contains("No space left on device")
            || text.contains("its log takes nothing")
            || text.contains("Disk quota")
    });
    let (at, text) = told.next()?;
    Some(no_room(case.facts, text, at.map_or(Evidence::Status, Evidence::Journal)))
}

fn cannot_start(case: Case<'_>) -> Option<Said> {
    let it = case.it.filter(|it| !it.state.is_alive())?;
    let (at, reason) = it.refused.as_ref()?;
    let text = reason.to_lowercase();
    let said = Said::new(format!("it cannot be started: {reason}"), [Evidence::Journal(*at)]);
    let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
    Some(if has(&["interpreter"]) {
        said.cause("interpreter-missing")
            .cure("correct the first line of that script, or install what it names")
    } else if has(&["is held by", "belongs to an instance", "is listened on", "address already in use"]) {
        said.cause("port-taken")
            .cure(format!("end what holds the port, or choose another: ps-set {} port N", case.facts.app))
    } else if has(&["permission denied", "not permitted"]) {
        said.cause("permission-denied").cure("give the user that it runs as the right to it")
    } else if has(&["too many open files"]) {
        said.cause("too-many-open-files")
            .cure("raise the limit of open files of the supervisor (LimitNOFILE, ulimit -n)")
    } else if has(&["resource temporarily unavailable", "cannot allocate"]) {
        said.cause("process-limit")
            .cure("raise the limit of processes (ulimit -u, TasksMax), or end what started so many")
    } else if has(&["not found", "no such file", "os error 2"]) {
        said.cause("program-missing").cure("install that program, or correct the command in the Procfile")
    } else if has(&["env", "variable", "line "]) {
        said.cause("env-invalid").cure("correct the env file, and restart")
    } else {
        said
    })
}

fn killed_by_operator(case: Case<'_>) -> Option<Said> {
    let (facts, it) = (case.facts, case.it?);
    let end = it.end.as_ref()?;
    let Some(Exit::Signal(number)) = end.exit else { return None };
    let at = end.at?.as_millisecond();
    let is_near =
        |verb: &&Verb| verb.name == "signal" && (0..=5000).contains(&(at - verb.at.as_millisecond()));
    let verb = facts.verbs.iter().rfind(is_near)?;
    let says = format!("{} sent it {} {} ({})", verb.by, signal(number), time(verb.at), verb.words);
    Some(Said::new(says, [Evidence::Journal(verb.at)].into_iter().chain(of_end(end))))
}

fn fault(case: Case<'_>) -> Option<Said> {
    const OWN: [i32; 7] = [4, 5, 6, 7, 8, 11, 31];
    let end = ended_unasked(case)?;
    let Some(Exit::Signal(number)) =
        end.exit.filter(|exit| matches!(exit, Exit::Signal(n) if OWN.contains(n)))
    else {
        return None;
    };
    let says = format!(
        "it ended by {}{}, which a process mostly gets for a fault of its own",
        signal(number),
        at(case.facts, end)
    );
    let cure = "look at its last lines, and at a core file if it left one (coredumpctl)";
    let sign = sign(case).filter(|(_, pattern)| pattern.cause == "heap-exhausted");
    if let Some((line, pattern)) = sign {
        return Some(of_pattern(case, pattern, line));
    }
    Some(Said::new(says, of_end(end)).cure(cure))
}

fn killed_from_outside(case: Case<'_>) -> Option<Said> {
    let end = ended_unasked(case)?;
    let Some(Exit::Signal(number)) = end.exit else { return None };
    let known = if case.facts.is_container {
        "neither this app's verbs nor a limit of memory sent it"
    } else {
        "its supervisor did not send it, and the kernel counted no kill for want of memory"
    };
    let says = format!("it was ended by {} from outside{}: {known}", signal(number), at(case.facts, end));
    let cure = "find out who sent it: another program, a script, or a person (journalctl, auditctl -a always,exit -S kill)";
    Some(Said::new(says, of_end(end)).cure(cure))
}

fn port_taken(case: Case<'_>) -> Option<Said> {
    let it = case.it?;
    let said = sign(case).filter(|(_, pattern)| pattern.cause == "port-taken");
    let check = it.check.as_ref().filter(|(_, reason)| {
        reason.contains("is listened on by")
            || reason.contains("is held by")
            || reason.contains("another app")
    });
    if let Some((line, pattern)) = said {
        return Some(of_pattern(case, pattern, line));
    }
    let (at, reason) = check?;
    let evidence = at.map_or(Evidence::Status, Evidence::Journal);
    let says = format!("somebody else listens on the port that it wants: {reason}");
    Some(
        Said::new(says, [evidence])
            .cure(format!("end that process, or choose another port: ps-set {} port N", case.facts.app)),
    )
}

fn check_failed(case: Case<'_>) -> Option<Said> {
    let it = case.it?;
    let (at, reason) = it.check.as_ref()?;
    let is_by_check = it.end.as_ref().is_some_and(|end| end.cause == Some(EndCause::Check));
    let is_by_itself =
        it.end.as_ref().is_some_and(|end| matches!(end.cause, Some(EndCause::Itself | EndCause::Signal)));
    let is_alive = it.state.is_alive();
    if !is_by_check && !is_alive && is_by_itself {
        return None;
    }
    let evidence = at.map_or(Evidence::Status, Evidence::Journal);
    let said = Said::new(format!("it does not pass a check: {reason}"), [evidence]);
    Some(if reason.contains("it listens on") || reason.contains("and listens on") {
        said.cause("wrong-port").cure("have it listen on the port that the variable PORT says")
    } else if reason.starts_with("watchdog") {
        said.cause("watchdog")
            .cure("find out what keeps it from saying WATCHDOG=1: it hangs, or the period is too short")
    } else if reason.starts_with("run-timeout") {
        said.cause("run-timeout").cure(format!(
            "find out why it takes so long, or allow more: ps-set {} run-timeout TIME",
            case.facts.app
        ))
    } else if reason.contains("answered")
        || reason.contains("exit status")
        || reason.contains("does not contain")
    {
        said.cure("ask the same by hand, and look at what it writes meanwhile (ps-logs)")
    } else if is_late(reason) {
        said.cause("slow-start").cure(format!(
            "find out what it waits for (ps-logs), or give it more time: ps-set {} start-timeout-seconds N",
            case.facts.app
        ))
    } else if reason.contains("nobody listens") {
        said.cause("not-listening").cure("have it listen on the port that the variable PORT says")
    } else {
        said.cure("ask the same by hand, and look at what it writes meanwhile (ps-logs)")
    })
}

/// Whether a check says that the time of a start was over.
fn is_late(reason: &str) -> bool {
    reason.starts_with("not ready") && reason.contains(" within ") && reason.contains(" s")
}

fn program_missing(case: Case<'_>) -> Option<Said> {
    let end = ended_unasked(case)?;
    let (says, cause, cure) = match end.exit? {
        Exit::Code(127) => (
            "its shell did not find the program of its command (exit status 127)",
            "program-missing",
            "install that program, or correct the command in the Procfile",
        ),
        Exit::Code(126) => (
            "the program of its command could not be executed (exit status 126)",
            "permission-denied",
            "make it executable (chmod +x), for the user that it runs as",
        ),
        Exit::Code(_) | Exit::Signal(_) => return None,
    };
    let said = Said::new(format!("{says}{}", at(case.facts, end)), of_end(end)).cause(cause).cure(cure);
    Some(match sign(case) {
        Some((line, pattern))
            if matches!(pattern.cause, "library-missing" | "wrong-architecture" | "program-missing") =>
        {
            of_pattern(case, pattern, line)
        }
        _ => said,
    })
}

fn ended_by_itself(case: Case<'_>) -> Option<Said> {
    let end = ended_unasked(case)?;
    let Some(Exit::Code(code)) = end.exit else { return None };
    if code == 0 {
        let says =
            format!("it ended by itself with success{}, and is to run all the time", at(case.facts, end));
        let cure = "keep its main process in the foreground, or say that it may end: restart = on-failure in app.json";
        return Some(Said::new(says, of_end(end)).cause("ends-by-itself").cure(cure));
    }
    if let Some((line, pattern)) = sign(case) {
        return Some(of_pattern(case, pattern, line));
    }
    let says = format!("it ended by itself with exit status {code}{}", at(case.facts, end));
    Some(
        Said::new(says, of_end(end))
            .cure(format!("read what it wrote before: ps-logs {} --previous", case.facts.app)),
    )
}

fn no_supervisor(case: Case<'_>) -> Option<Said> {
    case.it.filter(|it| it.state == State::Missing && !case.facts.is_container)?;
    case.facts.is_unsupervised.then(|| {
        let says =
            "its process is gone, nobody saw how, and no supervisor is there that would start it again";
        Said::new(says, [Evidence::Status]).cure(format!("ps-lifecycle start {}", case.facts.app))
    })
}

fn container_gone(case: Case<'_>) -> Option<Said> {
    case.it.filter(|it| it.state == State::Missing && case.facts.is_container)?;
    let says = "its container is gone: somebody removed it beside these programs";
    Some(Said::new(says, [Evidence::Engine]).cure(format!("ps-lifecycle start {}", case.facts.app)))
}

fn waiting(case: Case<'_>) -> Option<Said> {
    let it = case.it.filter(|it| matches!(it.state, State::Waiting | State::Scheduled))?;
    let what = it.note.clone().unwrap_or_else(|| "its time has not come".to_owned());
    let cause = if it.state == State::Scheduled { "scheduled" } else { "waiting" };
    Some(Said::new(format!("it is not to run yet: {what}"), [Evidence::Status]).cause(cause))
}

fn starting(case: Case<'_>) -> Option<Said> {
    let it = case.it.filter(|it| matches!(it.state, State::Starting | State::Stopping))?;
    let waits = it.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
    let (cause, does) =
        if it.state == State::Starting { ("starting", "is coming up") } else { ("stopping", "is ending") };
    let since = it.since.map(|since| format!(" since {}", time(since))).unwrap_or_default();
    Some(Said::new(format!("it {does}{since}{waits}"), [Evidence::Status]).cause(cause))
}

fn finished(case: Case<'_>) -> Option<Said> {
    case.it.filter(|it| it.over == Some(Over::Finished))?;
    Some(Said::new("it has done what it was started for", [Evidence::Status]))
}

/// The last end of the instance, unless it was requested or caused by a check.
fn ended_unasked(case: Case<'_>) -> Option<&End> {
    let it = case.it?;
    it.end.as_ref().filter(|end| !matches!(end.cause, Some(EndCause::Asked | EndCause::Check)))
}

/// The deploy that failed last, unless a later one succeeded.
pub(crate) fn failed_deploy(facts: &Facts) -> Option<&Verb> {
    const DEPLOYING: [&str; 7] = ["deploy", "rebuild", "rollback", "apply", "converge", "start", "restart"];
    let deploys = |verb: &&Verb| DEPLOYING.contains(&verb.name.as_str()) && verb.ended.is_some();
    facts.verbs.iter().rfind(deploys).filter(|verb| verb.failure().is_some())
}

fn at(facts: &Facts, end: &End) -> String {
    let lived = end.lived_ms.map(|lived| {
        format!(", {:.1} s after its start", std::time::Duration::from_millis(lived).as_secs_f64())
    });
    let when = end.at.map(|at| format!(" {}", ago(facts, at))).unwrap_or_default();
    format!("{when}{}", lived.unwrap_or_default())
}

fn of_end(end: &End) -> Vec<Evidence> {
    vec![end.at.map_or(Evidence::Status, Evidence::Journal)]
}

#[cfg(test)]
mod tests;
