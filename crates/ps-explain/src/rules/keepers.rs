//! Who runs the app, and from what: the engine, an image, a supervisor.

use formation::State;

use crate::case::Case;
use crate::finding::{Evidence, Said};

pub(super) fn engine_away(case: Case<'_>) -> Option<Said> {
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

pub(super) fn image_gone(case: Case<'_>) -> Option<Said> {
    let image = case.facts.lost_image.as_ref()?;
    case.it.filter(|it| !it.state.is_alive())?;
    let says = format!("the engine does not have the image {image} any more, from which it ran");
    let cure = format!("ps-lifecycle deploy {} from an image that is there", case.facts.app);
    Some(Said::new(says, [Evidence::Engine]).cure(cure))
}

/// A supervisor that was stopped does nothing, also where what runs is well.
pub(super) fn supervisor_stopped(case: Case<'_>) -> Option<Said> {
    let pid = case.facts.stopped_supervisor?;
    let says = format!(
        "its supervisor (pid {pid}) is stopped by a signal (SIGSTOP, SIGTSTP): what runs runs on, but nobody starts it again, ends it or \
         takes its output"
    );
    Some(Said::new(says, [Evidence::Process(pid)]).cure(format!("kill -CONT {pid}")))
}

/// What lives has nobody who would start it again.
pub(super) fn unsupervised(case: Case<'_>) -> Option<Said> {
    let is_explained = case.it.is_some_and(|it| !it.state.is_alive());
    if !case.facts.is_unsupervised || is_explained {
        return None;
    }
    let says = "what runs runs on, but no supervisor is there that would start it again and takes its output";
    Some(Said::new(says, [Evidence::Status]).cure(format!("ps-lifecycle start {}", case.facts.app)))
}

pub(super) fn nobody_restarts(case: Case<'_>) -> Option<Said> {
    case.it.filter(|it| it.state == State::Missing && !case.facts.is_container)?;
    case.facts.is_unsupervised.then(|| {
        let says = "its process is gone, nobody saw how, and no supervisor is there that would start it again: \
                    it and the process were killed, or the machine was started again and nobody restored the app";
        let cure = "ps-lifecycle restore <app>; ps-lifecycle boot enable has that done at each boot";
        Said::new(says, [Evidence::Status]).cure(cure.replace("<app>", &case.facts.app))
    })
}

pub(super) fn container_gone(case: Case<'_>) -> Option<Said> {
    case.it.filter(|it| it.state == State::Missing && case.facts.is_container)?;
    if let Some(image) = &case.facts.lost_image {
        let says = format!("its container is gone, and the engine does not have its image {image} any more");
        let cure = format!("ps-lifecycle deploy {} from an image that is there", case.facts.app);
        return Some(Said::new(says, [Evidence::Engine]).cause("image-gone").cure(cure));
    }
    let says = "its container is gone: somebody removed it beside these programs";
    Some(Said::new(says, [Evidence::Engine]).cure(format!("ps-lifecycle start {}", case.facts.app)))
}
