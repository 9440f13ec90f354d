//! A program that listens on a port of its own choice, and not on `PORT`, cannot run twice. A new run beside the running one fails because the port
//! is in use. If the running instance of the slot holds that port, it is ended before the new one starts.

use std::collections::BTreeSet;

use formation::ProcessType;
use os_process::Listeners;
use ps_rollout::Strategy;
use ps_scheduler::{Error, FailedSlot, Instance, Plan};
use ps_service::Service;

/// The first port that the kernel gives to sockets that ask for any, unless the administrator says otherwise (ip(7)).
const ANY: u16 = 32_768;

/// After a failed plan: a second plan, with a note for each slot, if in every slot that failed the running instance held the port of the new one.
/// `None` if a port may belong to somebody else, or the app has chosen the strategy.
pub(crate) fn plan_after(
    service: &Service,
    plan: &Plan,
    present: &[Instance],
    error: &Error,
) -> Option<(Plan, Vec<String>)> {
    let failed = error.refused_a_port();
    let mut listeners = Listeners::default();
    let mut trees = os_process::Processes::new(ps_supervisor::MARKER);
    let mut notes = Vec::new();
    for failed in failed.iter().filter(|failed| may_be_changed(plan, &failed.slot.process_type)) {
        let Some(instance) = present.iter().find(|instance| instance.slot == failed.slot) else { continue };
        let Some(main) = instance.pid else { continue };
        let mark = ps_supervisor::mark(&service.directory, &instance.slot, instance.run.unwrap_or(0));
        let held = listeners.ports_of(trees.of(&mark, main));
        let Some(port) = port_of_both(failed, &held, instance.port) else { continue };
        let slot = &failed.slot;
        notes.push(format!(
            "{slot} listens on port {port}, whatever PORT is: the instance that runs ends before the new one starts"
        ));
    }
    let types: BTreeSet<ProcessType> = failed.iter().map(|failed| failed.slot.process_type.clone()).collect();
    (!failed.is_empty() && notes.len() == failed.len()).then(|| (plan.stopping_first(&types), notes))
}

/// Whether a second run of this type was started beside the running one although the app does not ask for that strategy.
fn may_be_changed(plan: &Plan, process_type: &ProcessType) -> bool {
    let is_tried = plan.rules.get(process_type).is_some_and(|rules| rules.strategy == Strategy::OneByOne);
    is_tried && plan.release.process(process_type).is_none_or(|process| process.strategy.is_none())
}

/// The port that was refused to the new run and is held by the running one. Some programs name the port in their error message. Otherwise it is a
/// port that is neither `PORT` nor one that the kernel has chosen.
fn port_of_both(failed: &FailedSlot, held: &BTreeSet<u16>, own: Option<u16>) -> Option<u16> {
    let named = named(failed);
    if named.is_empty() {
        return held.iter().copied().find(|port| Some(*port) != own && *port < ANY);
    }
    held.intersection(&named).next().copied()
}

/// The ports in those last lines of a failed run that say that a port was in use.
pub(crate) fn named(failed: &FailedSlot) -> BTreeSet<u16> {
    failed.lines_about_a_port().flat_map(ports_in).collect()
}

/// The ports that a line names: `:::3000`, `127.0.0.1:3000`, `port 3000`, `port: 3000`.
fn ports_in(line: &str) -> impl Iterator<Item = u16> {
    let words = line.split(|letter: char| letter.is_whitespace() || "\"'()[]{},;".contains(letter));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    let named = (0..words.len()).filter_map(move |at| {
        let is_after_port = at > 0 && words[at - 1].trim_end_matches([':', '=']).eq_ignore_ascii_case("port");
        let word = words[at].trim_end_matches(['.', ':', '!']);
        let digits = if is_after_port { word } else { word.rsplit_once([':', '='])?.1 };
        digits.parse().ok()
    });
    named.collect::<Vec<_>>().into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(reason: &str, held: &[u16]) -> Option<u16> {
        let failed = FailedSlot { slot: "web.1".parse().expect("a slot"), reason: reason.to_owned() };
        port_of_both(&failed, &held.iter().copied().collect(), Some(5000))
    }

    #[test]
    fn a_port_that_is_named_has_to_be_one_of_the_instance_that_runs() {
        for line in [
            "Error: listen EADDRINUSE: address already in use :::3000",
            "Error: listen EADDRINUSE: address already in use 127.0.0.1:3000",
            "listen tcp :3000: bind: address already in use",
            "[ERROR] Port 3000: Address already in use (os error 98)",
            "ERROR: [Errno 98] error while attempting to bind on address ('0.0.0.0', port 3000): address already in use",
        ] {
            let reason = format!(
                "ended within its first second (exit status 1); its last lines:\n{line}\n    at :1:99"
            );
            assert_eq!(port(&reason, &[5000, 3000]), Some(3000), "{line}");
            assert_eq!(port(&reason, &[5000, 3001]), None, "somebody else has it: {line}");
            assert_eq!(port(&reason, &[]), None);
        }
        // The app was told to listen on that port, and takes no other one.
        assert_eq!(port("bind: address already in use: 127.0.0.1:5000", &[5000]), Some(5000));
    }

    #[test]
    fn without_a_name_it_is_a_port_that_the_program_has_chosen() {
        let python = "its last lines:\nOSError: [Errno 98] Address already in use";
        assert_eq!(port(python, &[5000, 8123]), Some(8123));
        assert_eq!(port(python, &[5000]), None);
        assert_eq!(port(python, &[5000, 40_123]), None, "the kernel has chosen it");
    }
}
