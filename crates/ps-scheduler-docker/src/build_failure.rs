//! Why a build failed: the step, the engine's message, the last output of the step, and what to do.

use build_context::PackError;
use formation::with_last_words;
use ps_engine::{Fault, Reference};
use ps_scheduler::Error;
use registry_logins::Logins;

use crate::build_account::Account;
use crate::build_order::BuildOrder;
use crate::failed::failed;

/// The prefixes with which BuildKit names the component that failed, before the reason.
const WHO: [&str; 3] = ["failed to solve", "failed to create LLB definition", "failed to build LLB"];
/// The errors of an engine about an instruction or an option that it does not know.
const UNKNOWN: [&str; 3] = ["unknown instruction", "unknown flag", "Unknown flag"];

/// The error of a build. `packed`: the error of packing the archive, if there was one.
pub(crate) fn told(
    order: &BuildOrder,
    fault: Fault,
    packed: Option<PackError>,
    account: &Account,
    logins: &Logins,
) -> Error {
    // That the engine stopped reading the archive is a consequence of its own error. A file that could not be read is a cause.
    if let Some(error) = packed.filter(|error| !matches!(error, PackError::Write(_))) {
        let source = std::error::Error::source(&error).map(|source| format!(": {source}"));
        return refused(order, format!("{error}{}", source.unwrap_or_default()));
    }
    let Fault::Refused { message, .. } = fault else { return failed(fault, context_of(order)) };
    let message = cause(message.trim_end());
    let advice = match account.from() {
        Some(image) => {
            let advice = logins.advice(message, Reference::of(image).registry());
            format!("{message}: {advice}")
        }
        None => message.to_owned() + way_out(message),
    };
    let step = account.step().map(|step| format!("step {step}: ")).unwrap_or_default();
    refused(order, with_last_words(&format!("{step}{advice}"), account.last()))
}

/// The error of a build that is not begun, or not continued.
pub(crate) fn refused(order: &BuildOrder, reason: String) -> Error {
    Error::Backend { context: context_of(order), reason }
}

fn context_of(order: &BuildOrder) -> String {
    format!("build {}", order.directory.display())
}

/// The message without the prefixes of components that only passed the error on.
fn cause(message: &str) -> &str {
    let mut rest = message;
    while let Some((who, why)) = rest.split_once(": ")
        && WHO.iter().any(|prefix| who.starts_with(prefix))
    {
        rest = why;
    }
    rest
}

fn way_out(message: &str) -> &'static str {
    if UNKNOWN.iter().any(|word| message.contains(word)) {
        ": if it is right, the engine is too old for it. Docker 23 and later know here-documents and COPY --link; an engine before that needs the first line # syntax=docker/dockerfile:1, and that image, pulled or loaded"
    } else if message.contains("BuildKit") {
        ": docker build it, and deploy that with --image"
    } else {
        ""
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_handed_an_error_on_are_left_out() {
        let message = "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 6: unknown instruction: ECHO";
        assert_eq!(cause(message), "dockerfile parse error line 6: unknown instruction: ECHO");
        assert!(way_out(cause(message)).contains("# syntax=docker/dockerfile:1"));
        assert_eq!(cause("exit code: 3"), "exit code: 3");
        assert_eq!(way_out("exit code: 3"), "");
    }
}
