//! Any command, any variables: Dokku's expansion and ours without a style are one.
#![no_main]

use libfuzzer_sys::fuzz_target;
use procfile::{EnvFile, Style, Variables, expand, expand_in_style, is_simple_command};

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(2, |byte| *byte == 0);
    let (Some(env), Some(command)) = (parts.next(), parts.next()) else { return };
    let env = EnvFile::parse(env).unwrap_or_default();
    let variables = Variables { env_file: Some(&env), ..Variables::new("web", 5000) };
    let plain = expand(command, &variables);
    assert_eq!(expand_in_style(command, &variables, Style::default()).command, plain);
    if !command.contains(&b'$') {
        assert_eq!(plain, command);
    }
    for (shell_defaults, keep_unknown) in [(true, false), (false, true), (true, true)] {
        let _ = expand_in_style(command, &variables, Style { shell_defaults, keep_unknown });
    }
    let _ = is_simple_command(command);
});
