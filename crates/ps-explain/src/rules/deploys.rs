//! Deploys, and other verbs that start something, that failed.

use formation::State;
use jiff::Timestamp;

use super::signs::{of_sign, quoted};
use super::{last_words, refusals, report};
use crate::case::Case;
use crate::facts::{Facts, Known, Verb};
use crate::finding::{Evidence, Said};
use crate::words::time;

pub(super) fn release_failed(case: Case<'_>) -> Option<Said> {
    let verb = failed_deploy(case.facts)?;
    let error = verb.failure()?;
    let task =
        ["release.1 of", "predeploy.1 of", "postdeploy.1 of"].iter().any(|task| error.starts_with(task));
    if !task || case.it.is_some_and(|it| it.state == State::Crashed) {
        return None;
    }
    let told = told(case, verb).map(|(said, _)| format!("; {}", said.says)).unwrap_or_default();
    let says = format!("a task that has to succeed before the new release runs did not: {error}{told}");
    let cure =
        format!("mend it and deploy again; its output is in what the deploy of {} printed", time(verb.at));
    Some(Said::new(says, [Evidence::Journal(verb.at)]).cure(cure))
}

pub(super) fn bad_config(case: Case<'_>) -> Option<Said> {
    const FILES: [&str; 7] = ["Procfile", "app.json", "DOKKU_SCALE", "CHECKS", ".env", "/ENV", "env file"];
    let verb = failed_deploy(case.facts)?;
    let error = verb.failure()?;
    // What a process said of a file is no refusal of ours: those begin with an instance's name.
    let is_of_instance =
        error.split(" of ").next().is_some_and(|word| word.parse::<formation::Slot>().is_ok());
    if case.it.is_some_and(Known::has_run) && in_vain(case).is_none()
        || is_of_instance
        || !FILES.iter().any(|file| error.contains(file))
    {
        return None;
    }
    let says = format!("the {} was refused for what stands in a file: {error}", verb.name);
    Some(Said::new(says, [Evidence::Journal(verb.at)]).cure("correct that file, and deploy again"))
}

/// A verb that was to start something failed before anything was started, or left nothing behind.
pub(super) fn came_to_nothing(case: Case<'_>) -> Option<Said> {
    let verb = in_vain(case)?;
    let error = verb.failure()?;
    let said = Said::new(format!("the {} failed: {error}", verb.name), [Evidence::Journal(verb.at)]);
    if let Some((told, is_sign)) = told(case, verb) {
        let cause = told.cause.filter(|_| is_sign).or(Some("own-error"));
        return Some(Said { says: format!("{}; {}", said.says, told.says), cure: told.cure, cause, ..said });
    }
    // A shell ends like that if it finds no program, or cannot run what it finds.
    if case.facts.is_container && error.contains("exit status 127") {
        let says = format!(
            "{}, as a shell does if a program of its command is missing, or cannot be run",
            said.says
        );
        let cure = "see what it wrote in the output of that deploy; then install the program, or correct the command in the Procfile";
        return Some(Said { says, ..said }.cause("exit-status").cure(cure));
    }
    Some(match refusals::of(error) {
        Some(refusal) => said.cause(refusal.cause).cure(refusal.cure.replace("<app>", &case.facts.app)),
        None => said.cure(format!("mend that, and {} again", verb.name)),
    })
}

/// What the process said that made the verb fail, and whether that is a sign of something. A check that was not passed says more than that.
fn told(case: Case<'_>, verb: &Verb) -> Option<(Said, bool)> {
    let has_ended = verb.failure()?.contains("exit status");
    if !has_ended {
        return None;
    }
    if let Some(sign) = report::sign(&verb.told, None, &|_| false) {
        return Some((of_sign(Case { it: None, ..case }, sign), true));
    }
    let told = last_words::of(&verb.told, None);
    let said = Said::new(format!("it told an error itself, {}", quoted(&told)), []);
    (!told.is_empty())
        .then(|| (said.cure(format!("do what these words ask for, and {} again", verb.name)), false))
}

/// The verb that failed last, if nothing has lived since and nobody wanted anything else.
fn in_vain(case: Case<'_>) -> Option<&Verb> {
    const OTHERWISE: [&str; 4] = ["stop", "scale", "retire", "signal"];
    let verb = failed_deploy(case.facts)?;
    let is_later = |at: Option<Timestamp>| at.is_some_and(|at| at >= verb.at);
    let has_lived = |it: &Known| {
        it.state.is_alive()
            || is_later(it.end.as_ref().and_then(|end| end.at))
            || is_later(it.refused.as_ref().map(|(at, _)| *at))
            || is_later(it.check.as_ref().and_then(|(at, _)| *at))
            || is_later(it.given_up.as_ref().map(|(at, ..)| *at))
            // Nothing is written down of a run that came and went beside another.
            || (it.state == State::Crashed && it.since.is_none())
    };
    let mut later = case.facts.verbs.iter().filter(|other| other.at > verb.at && other.failure().is_none());
    let is_settled = later.any(|other| OTHERWISE.contains(&other.name.as_str()));
    let is_well = case.it.is_none() && case.facts.instances.iter().any(|known| known.state.is_alive());
    (!is_settled && !is_well && !case.facts.instances.iter().any(has_lived)).then_some(verb)
}

/// The deploy that failed last, unless a later one succeeded.
pub(crate) fn failed_deploy(facts: &Facts) -> Option<&Verb> {
    const DEPLOYING: [&str; 7] = ["deploy", "rebuild", "rollback", "apply", "converge", "start", "restart"];
    let deploys = |verb: &&Verb| DEPLOYING.contains(&verb.name.as_str()) && verb.ended.is_some();
    facts.verbs.iter().rfind(deploys).filter(|verb| verb.failure().is_some())
}
