//! What keeps a process from being started.

use formation::Exit;

use super::refusals;
use super::signs::no_room;
use crate::case::Case;
use crate::facts::Trouble;
use crate::finding::{Evidence, Said};

pub(super) fn directory_missing(case: Case<'_>) -> Option<Said> {
    let it = case.it.filter(|it| !it.state.is_alive())?;
    let (path, problem) = case.facts.directory.as_ref()?;
    let problem = problem.as_ref()?;
    let says =
        format!("the directory {} that {} runs in cannot be entered: {problem}", path.display(), it.slot);
    let cure = format!("put it back, or deploy {} from another one", case.facts.app);
    Some(Said::new(says, [Evidence::File(path.clone())]).cure(cure))
}

pub(super) fn disk_full(case: Case<'_>) -> Option<Said> {
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

pub(super) fn cannot_start(case: Case<'_>) -> Option<Said> {
    let it = case.it.filter(|it| !it.state.is_alive())?;
    let (at, reason) = it.refused.as_ref()?;
    let said = Said::new(format!("it cannot be started: {reason}"), [Evidence::Journal(*at)]);
    Some(match refusals::of(reason) {
        Some(refusal) => said.cause(refusal.cause).cure(refusal.cure.replace("<app>", &case.facts.app)),
        None => said,
    })
}

/// A file of its command is not what could be run. Only where it ended by itself with a failure: then that is why.
pub(super) fn bad_file(case: Case<'_>) -> Option<Said> {
    let it = case.it.filter(|it| !it.state.is_alive())?;
    let end = super::ends::ended_unasked(case)?;
    end.exit.filter(|exit| matches!(exit, Exit::Code(code) if *code != 0))?;
    let file = it.bad_file.as_ref()?;
    let path = file.path.display();
    let (cause, says, cure) = match &file.trouble {
        Trouble::LineEndings => (
            "line-endings",
            format!(
                "{path} has the line endings of Windows (CRLF), and what runs it takes each carriage return for a part of a word"
            ),
            format!("sed -i 's/\\r$//' {path}, and keep them out: text eol=lf in .gitattributes"),
        ),
        Trouble::OtherMachine => (
            "wrong-architecture",
            format!("{path} is made for another machine architecture than this one"),
            "build it for this machine".to_owned(),
        ),
        Trouble::NoInterpreter(name) => (
            "interpreter-missing",
            format!("the interpreter {name} that the first line of {path} names is not there"),
            "correct that line, or install what it names".to_owned(),
        ),
    };
    Some(Said::new(says, [Evidence::File(file.path.clone())]).cause(cause).cure(cure))
}
