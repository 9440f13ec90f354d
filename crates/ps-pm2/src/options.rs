//! pm2's own options: variables of the caller, and those in `custom_options.sh`. pm2 runs that file as a script. Here
//! it is only read, and only lines that set one variable to one word have an effect.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use crate::home::Home;

const FILE: &str = "custom_options.sh";
const MAX_BYTES: u64 = 1 << 20;
/// What stands in a new file.
const OFFERED: &str = "\
# Options of ps-pm2, one in a line. This file is read and never run; variables of the environment come first.
# export PM2_API_PORT=9615
# export PM2_NODE_OPTIONS='--harmony'
# export PM2_GRACEFUL_TIMEOUT=8000
# export PM2_DEBUG=true
";

/// Creates the file if it does not exist.
pub(crate) fn offer(home: &Home) -> io::Result<()> {
    let path = home.directory().join(FILE);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(OFFERED.as_bytes())
}

/// The value of an option; what the caller set comes first.
pub(crate) fn value(home: &Home, name: &str) -> Option<String> {
    let own = ps_apps::variable(name).and_then(|value| value.into_string().ok());
    own.or_else(|| {
        let bytes = durable::state(&home.directory().join(FILE), MAX_BYTES).ok()?;
        set_in(&String::from_utf8_lossy(&bytes), name)
    })
}

fn set_in(script: &str, name: &str) -> Option<String> {
    let of_line = |line: &str| {
        let line = line.trim();
        let value = line.strip_prefix("export ").unwrap_or(line).trim_start().strip_prefix(name)?;
        let value = value.strip_prefix('=')?;
        let quoted = ['\'', '"'].into_iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote));
        let plain = || value.split(char::is_whitespace).next().unwrap_or_default();
        Some(quoted.unwrap_or_else(plain).to_owned())
    };
    script
        .lines()
        .filter_map(of_line)
        .next_back()
        .filter(|value| !value.is_empty() && !value.contains(['$', '`']))
}

#[cfg(test)]
mod tests {
    use super::set_in;

    #[test]
    fn the_last_line_that_sets_it_counts_and_nothing_is_run() {
        let script = "# export PM2_API_PORT=1\nexport PM2_API_PORT=9700 # mine\nPM2_NODE_OPTIONS='--harmony --x'\n\
                      export PM2_API_PORT_2=3\nexport PM2_RPC_PORT=$(rm -rf /)\n";
        assert_eq!(set_in(script, "PM2_API_PORT").as_deref(), Some("9700"));
        assert_eq!(set_in(script, "PM2_NODE_OPTIONS").as_deref(), Some("--harmony --x"));
        assert_eq!((set_in(script, "PM2_RPC_PORT"), set_in(script, "PM2_DEBUG")), (None, None));
    }
}
