//! The hostile app: commands and variables that mean something to some reader.

use std::collections::BTreeMap;

/// Programs that scripts of supervisors call.
pub(crate) const TRAPS: [&str; 25] = [
    "chpst",
    "s6-setuidgid",
    "s6-applyuidgid",
    "s6-envdir",
    "s6-log",
    "svlogd",
    "setpriv",
    "setsid",
    "nice",
    "su",
    "sh",
    "bash",
    "env",
    "id",
    "head",
    "sleep",
    "mkdir",
    "rm",
    "kill",
    "checkpath",
    "supervise-daemon",
    "start-stop-daemon",
    "ebegin",
    "cat",
    "printf",
];

/// Commands by process type. `CANARY` stands for a file that would show that a part of one was run on the way.
pub(crate) fn types() -> BTreeMap<&'static str, String> {
    let long = format!("./probe {} end", "'x $HOME;\"%n '\\''y'".repeat(3000));
    BTreeMap::from([
        ("-dash", "./probe -n --flag -c -- -e".to_owned()),
        ("0", "./probe".to_owned()),
        ("Web_2", "./probe \"$PORT\" \"${PS}\" $PORT".to_owned()),
        ("assigned", "A=b ./probe A=b =c".to_owned()),
        ("blanks", "./probe \"a  b\"   'c   d'\te \"f\tg\" ' ' ''".to_owned()),
        ("cd", "cd . && ./probe one; true".to_owned()),
        ("comment", "./probe 'x # y' z#z 'a ;b' c\\;d \\#e 'f // g'".to_owned()),
        ("cr", "./probe 'a\rb' c".to_owned()),
        ("dollars", "./probe \"$DOLLAR\" ${SPACES} '$HOME' \"\\$HOME\" '$$' '${PORT}' $ \"$(printf '%s' \"$TAB\")\" `echo y`".to_owned()),
        ("exec", "exec ./probe exec".to_owned()),
        ("glob", "./probe * '*' ~ \"~\" ~root [a]* '?' \\*".to_owned()),
        ("hostile", "./probe '$(touch CANARY)' '`touch CANARY`' \\; touch CANARY '&& touch CANARY' '| touch CANARY' '>CANARY'".to_owned()),
        ("long", long),
        ("my-type", "./probe '[Service]' 'ExecStart=x' '</string>' '&amp;' '{{ .x }}' 'end script' '- yaml: \"x' ']]>'".to_owned()),
        ("percents", "./probe %h %% %n %i '%(ENV_HOME)s' 100% '%%(x)s' %{x} %5".to_owned()),
        ("piped", "printf 'x y' | ./probe piped".to_owned()),
        ("quotes", r#"./probe "a 'b' \"c\"" 'd "e" f' \" \' "\\" '\' '\n' "\\n" a\ b"#.to_owned()),
        ("redirect", "./probe redirected 2>&1 <Procfile.none || ./probe \"else\" 3>&1".to_owned()),
        ("sub", "(./probe sub)".to_owned()),
        ("unicode", "./probe 'héllo 世界 🎉' \"\u{2028}\u{a0}\u{feff}\" é\u{a0}é 'x\u{85}'".to_owned().replace("\u{85}", "\u{3000}")),
        ("with-env", "./probe \"$NEWLINE\" \"$QUOTES\" \"$LONG\" \"$BACKSLASH\"".to_owned()),
    ])
}

/// Variables of every instance. The last of them would reach programs that a supervisor runs as root.
pub(crate) fn variables(root: &str) -> BTreeMap<&'static str, String> {
    let traps = format!("{root}/traps:/usr/bin:/bin");
    let notes = format!("{root}/ld/note");
    let long = "x 'y' \"z\" $Z %z \\ ; # é\t".repeat(4000) + "end";
    let own: [(&str, &str); 36] = [
        ("A", "b"),
        ("AMPERSAND", "&amp; <string> ]]> </string><key>x</key> && touch CANARY"),
        ("BACKSLASH", "\\"),
        ("BACKSLASHES", "a\\b \\n \\\\ \\x41 \\$HOME c\\"),
        ("BASH_ENV", "touch CANARY"),
        ("COLON", "- a: b\n- {c: d}\n"),
        ("CR", "a\rb"),
        ("CRLF", "a\r\nb\r\n"),
        ("DASH", "-n --flag"),
        ("DOLLAR", "$HOME ${HOME} $$ $(touch CANARY) `touch CANARY` ${X:-y} $1 $"),
        ("EMPTY", ""),
        ("ENV", "$(touch CANARY)"),
        ("EQUALS", "=a=b= c=d"),
        ("HASH", "a # b ; c #d ;e // f"),
        ("HOME", "/no/such 'ho me' $x"),
        ("IFS", "x"),
        ("JSON", "{\"a\": [\"b\\\"c\", {\"d\": null}], \"e\": 'f'}"),
        ("NEWLINE", "line 1\nline 2\n\n[Service]\nExecStart=/bin/touch CANARY\nend script\n"),
        ("NO", "yes"),
        ("NUMBER", "010"),
        ("PERCENT", "%h %% %n %i %(ENV_HOME)s %(x)s 100% %"),
        ("PLAIN", "https://user:pa55@example.com:8080/x?a=b,c@d+e_f-g.h"),
        ("QUOTE_DOUBLE", "\""),
        ("QUOTE_SINGLE", "'"),
        ("QUOTED", "\"a b\""),
        ("QUOTES", "it's \"so\" and \\\"so\\\" 'x'\"'\"'y'"),
        ("RC_SVCNAME", "other"),
        ("SPACES", "  a  b  "),
        ("STAR", "* ? [a-z] {a,b}"),
        ("TAB", "a\tb\t"),
        ("TILDE", "~root ~"),
        ("UNICODE", "héllo 世界 🎉 \u{2028}\u{a0}\u{feff} é"),
        ("command", "touch CANARY"),
        ("lower_case", "x"),
        ("name", "other"),
        ("user", "root"),
    ];
    let mut variables: BTreeMap<&str, String> =
        own.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
    variables.insert("LONG", long);
    variables.insert("PATH", traps);
    variables.insert("LD_DEBUG", "files".to_owned());
    variables.insert("LD_DEBUG_OUTPUT", notes);
    variables
}

/// A line of an env file: in double quotes, where a backslash takes the meaning from what follows. Double quotes at the
/// ends of a value need single ones around them.
pub(crate) fn dotenv(name: &str, value: &str) -> String {
    if value.starts_with('"') || value.ends_with('"') {
        return format!("{name}='{value}'\n");
    }
    let mut line = format!("{name}=\"");
    for c in value.chars() {
        match c {
            '\n' => line.push_str("\\n"),
            '\r' => line.push_str("\\r"),
            '"' | '\\' | '$' => line.extend(['\\', c]),
            c => line.push(c),
        }
    }
    line + "\"\n"
}
