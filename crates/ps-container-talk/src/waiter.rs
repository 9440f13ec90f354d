//! Identifies the program that waits for a one-off, as the value of a label: its pid namespace, a blank, and its identity as
//! JSON.

use os_process::ProcessId;

/// The value for this program.
pub fn this_process() -> String {
    let own = ProcessId::of(std::process::id());
    let json = own.and_then(|own| serde_json::to_string(&own).ok()).unwrap_or_default();
    format!("{} {json}", pid_namespace())
}

/// Whether the program in a value of [`this_process`] lives. A program of another pid namespace counts as alive, because its pid
/// cannot be looked up here; so does a value that cannot be read.
pub fn is_alive(waits: &str) -> bool {
    let Some((namespace, json)) = waits.split_once(' ') else { return true };
    namespace != pid_namespace() || serde_json::from_str::<ProcessId>(json).map_or(true, |one| one.is_alive())
}

fn pid_namespace() -> String {
    std::fs::read_link("/proc/self/ns/pid").map(|link| link.display().to_string()).unwrap_or_default()
}
