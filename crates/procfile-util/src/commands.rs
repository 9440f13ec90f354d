//! The table of subcommands: the name of each, its flags, its help text, and the function that runs it.

use crate::command::Command;
use crate::flags::{Flag, Kind};
use crate::{check, completion, delete, exists, expand, export, fmt, import, list, set, show, version};

/// The subcommand with this name.
pub(crate) fn find(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

const fn text(long: &'static str, short: u8, default: &'static str, help: &'static str) -> Flag {
    let short = if short == 0 { None } else { Some(short) };
    Flag { long, short, kind: Kind::Text(default), help }
}

const fn switch(long: &'static str, short: u8, help: &'static str) -> Flag {
    let short = if short == 0 { None } else { Some(short) };
    Flag { long, short, kind: Kind::Switch, help }
}

const NO_COLOR: Flag = switch("no-color", 0, "plain messages even on a terminal");

static COMMON: [Flag; 5] = [
    text("delimiter", b'D', ":", "text between name and command; \\t is a tab"),
    Flag {
        long: "default-port",
        short: Some(b'd'),
        kind: Kind::Integer(5000),
        help: "value of PORT; export counts ports from here",
    },
    text("procfile", b'P', "Procfile", "path of the Procfile; - is standard input"),
    switch("strict", b'S', "names must be DNS labels"),
    NO_COLOR,
];

const PROCESS_TYPE: Flag = text("process-type", b'p', "", "name of the process type");
const FORMAT: Flag = text("format", 0, "text", "text or json");
const ENV_FILE: Flag = text("env-file", b'e', "", "dotenv file whose variables are expanded first");

static CHECK: [Flag; 3] = [
    text("format", 0, "", "text, json or github; text shows every problem with its line"),
    switch("warn", 0, "also warn about what is legal but will surprise"),
    switch("deny-warnings", 0, "treat warnings as failures"),
];
static LIST: [Flag; 1] = [FORMAT];
static EXISTS: [Flag; 1] = [PROCESS_TYPE];
static EXPAND: [Flag; 4] = [
    PROCESS_TYPE,
    ENV_FILE,
    switch("allow-getenv", b'a', "also expand the variables of the calling environment"),
    FORMAT,
];
static EXPANSION: [Flag; 3] = [
    switch("shell-defaults", 0, "understand ${X:-y}, ${X-y}, ${X:?message} and ${X?message}"),
    switch("strict-env", 0, "fail if variables are not defined, and name each with its line"),
    switch("keep-unknown", 0, "leave variables that are not defined as written"),
];
static RESULT: [Flag; 4] = [
    switch("stdout", b's', "print the result instead of writing it"),
    text("write-path", b'w', "", "write the result to this path instead"),
    switch("diff", 0, "print the changes, and write nothing"),
    switch("check", 0, "exit 1 if a change is needed, and write nothing"),
];
static EDIT: [Flag; 2] = [
    PROCESS_TYPE,
    switch("canonical", 0, "sort by name and drop comments and blank lines, as the original does"),
];
static SET: [Flag; 2] = [
    text("command", b'c', "", "the command"),
    switch("in-order", 0, "put a new entry before the first one whose name sorts after it"),
];
static EXPORT: [Flag; 27] = [
    text("app", 0, "app", "name of the app"),
    text("description", 0, "", "description of every unit (without it, each unit has its own)"),
    switch("dry-run", 0, "list what would be written"),
    ENV_FILE,
    text("format", 0, "systemd", export::FORMATS),
    text("formation", 0, "all=1", "instances of each type, as in web=2,worker=1"),
    text("group", 0, "", "group that runs the app (without it, the name of the app)"),
    text("home", 0, "", "home directory, for systemd-user (without it, that of the caller)"),
    text("image", 0, "", "image of the containers (without it, the name of the app)"),
    text("limit-coredump", 0, "", "size of a core dump, in KiB"),
    text("limit-cputime", 0, "", "processor time, in seconds"),
    text("limit-data", 0, "", "data segment, in KiB"),
    text("limit-file-size", 0, "", "size of a file, in KiB"),
    text("limit-locked-memory", 0, "", "locked memory, in KiB"),
    text("limit-open-files", 0, "", "number of open files"),
    text("limit-physical-memory", 0, "", "resident memory, in KiB"),
    text("limit-stack-size", 0, "", "stack, in KiB"),
    text("limit-user-processes", 0, "", "number of processes"),
    text("location", 0, "", "directory below which the units are written; required"),
    text("log-path", 0, "/var/log", "directory of the logs; with systemd-user the home directory"),
    text("nice", 0, "", "nice value, from -20 to 19"),
    text("prestart", 0, "", "command that is run before each start"),
    text("run", 0, "", "directory of the pid files, for sysv and upstart"),
    switch("stdout", 0, "print the units instead of writing them"),
    Flag {
        long: "timeout",
        short: None,
        kind: Kind::Integer(5),
        help: "seconds between SIGTERM and SIGKILL",
    },
    text("user", 0, "", "user that runs the app (without it, the name of the app)"),
    text("working-directory-path", 0, "/", "directory in which commands start"),
];
static IMPORT: [Flag; 10] = [
    text("app", 0, "", "prefix that is cut off names, as in app-web"),
    switch("dry-run", 0, "list what would be written"),
    text("env-file", b'e', ".env", "path of the env file to write, which only you can read"),
    text("file", 0, "", "the configuration; - is standard input (without it, the usual file of the format)"),
    switch("force", 0, "replace existing files"),
    text("formation", 0, "DOKKU_SCALE", "path of the formation to write"),
    text(
        "from",
        0,
        "",
        "compose, pm2, process-compose, supervisord or systemd; required unless FILE has a usual name",
    ),
    text("procfile", b'P', "Procfile", "path of the Procfile to write"),
    switch("stdout", b's', "print the Procfile, and write no file"),
    NO_COLOR,
];
static COMPLETION: [Flag; 2] = [text("shell", 0, "", "bash, zsh or fish"), NO_COLOR];
static MAN: [Flag; 2] = [text("page", 0, "", "a subcommand (without it, the program itself)"), NO_COLOR];
static VERSION: [Flag; 1] = [NO_COLOR];

/// All subcommands, sorted by name.
pub(crate) static COMMANDS: [Command; 13] = [
    Command {
        name: "check",
        synopsis: "Check that a Procfile is legal, and report everything that is wrong with it",
        about: "Prints the process types of a legal file, or every problem on stderr. --procfile may be repeated and\n  may name directories, in which each Procfile and Procfile.* is checked.",
        examples: &[
            "procfile-util check",
            "procfile-util check -P Procfile -P Procfile.dev --warn",
            "procfile-util check --format github --deny-warnings",
        ],
        flags: &[&CHECK, &COMMON],
        operand: None,
        run: check::run,
    },
    Command {
        name: "completion",
        synopsis: "Print the completions of a shell",
        about: "Put the output where the shell looks for completions.",
        examples: &["procfile-util completion bash > /etc/bash_completion.d/procfile-util"],
        flags: &[&COMPLETION],
        operand: Some("shell"),
        run: |given| completion::run(&COMMANDS, given),
    },
    Command {
        name: "delete",
        synopsis: "Delete a process type; every other byte of the file stays",
        about: "If there is no such process type, the file stays as it is, and that is no error. With -P - it reads\n  standard input and prints the result.",
        examples: &["procfile-util delete -p worker", "procfile-util delete -p worker --diff"],
        flags: &[&EDIT, &RESULT, &COMMON],
        operand: None,
        run: delete::run,
    },
    Command {
        name: "exists",
        synopsis: "Exit 0 if a process type exists, 1 if not",
        about: "Prints nothing on stdout.",
        examples: &["procfile-util exists -p release && echo found"],
        flags: &[&EXISTS, &COMMON],
        operand: None,
        run: exists::run,
    },
    Command {
        name: "expand",
        synopsis: "Print the Procfile with variables expanded",
        about: "Entries are sorted by name. PORT is --default-port and PS the process type. A variable that nothing\n  defines becomes empty, and $( is left for the shell.",
        examples: &["procfile-util expand -e .env", "procfile-util expand -p web -d 8080"],
        flags: &[&EXPAND, &EXPANSION, &COMMON],
        operand: None,
        run: expand::run,
    },
    Command {
        name: "export",
        synopsis: "Write units of systemd, runit, launchd and nine other process managers",
        about: "Every value is quoted as the format requires. Ports are --default-port + 100 for each type (sorted by\n  name) + 1 for each instance. The units contain the variables of the env file: mind who can read them.",
        examples: &[
            "procfile-util export --location / --app blog --formation web=2,worker=1",
            "procfile-util export --stdout --format launchd",
        ],
        flags: &[&EXPORT, &COMMON],
        operand: None,
        run: export::run,
    },
    Command {
        name: "fmt",
        synopsis: "Lay a Procfile out evenly; order, comments and commands stay",
        about: "Commands begin in one column, lines end in LF, and at most one blank line separates lines.",
        examples: &["procfile-util fmt", "procfile-util fmt --check", "procfile-util fmt --diff"],
        flags: &[&RESULT, &COMMON],
        operand: None,
        run: fmt::run,
    },
    Command {
        name: "import",
        synopsis: "Make a Procfile, a formation and an env file from another process manager's configuration",
        about: "What a Procfile cannot hold is listed on stderr. Existing files are replaced only with --force. For\n  systemd, a directory stands for the services in it; `systemctl cat` prints several for -.",
        examples: &[
            "procfile-util import --from compose",
            "procfile-util import --from pm2 ecosystem.json --dry-run",
            "systemctl cat 'blog-*' | procfile-util import --from systemd - --stdout",
        ],
        flags: &[&IMPORT],
        operand: Some("file"),
        run: import::run,
    },
    Command {
        name: "list",
        synopsis: "Print the names of all process types, sorted",
        about: "One name per line.",
        examples: &["procfile-util list", "procfile-util list --format json"],
        flags: &[&LIST, &COMMON],
        operand: None,
        run: list::run,
    },
    Command {
        name: "man",
        synopsis: "Print the manual page of the program or of a subcommand",
        about: "In roff, for man(1).",
        examples: &["procfile-util man set | man -l -"],
        flags: &[&MAN],
        operand: Some("page"),
        run: |given| completion::man(&COMMANDS, given),
    },
    Command {
        name: "set",
        synopsis: "Set the command of a process type; every other byte of the file stays",
        about: "A new name is appended. What would be read back differently is refused: an invalid name, a command\n  of several lines, a comment.",
        examples: &[
            "procfile-util set -p web -c 'bin/serve --port $PORT'",
            "procfile-util set -p clock -c bin/clock --in-order --diff",
        ],
        flags: &[&EDIT, &RESULT, &SET, &COMMON],
        operand: None,
        run: set::run,
    },
    Command {
        name: "show",
        synopsis: "Print the command of one process type with variables expanded",
        about: "PORT is --default-port and PS the process type. A variable that nothing defines becomes empty, and $(\n  is left for the shell.",
        examples: &["procfile-util show -p web", "procfile-util show -p web -e .env -d 8080"],
        flags: &[&EXPAND, &EXPANSION, &COMMON],
        operand: None,
        run: show::run,
    },
    Command {
        name: "version",
        synopsis: "Print the version",
        about: "One line.",
        examples: &["procfile-util version"],
        flags: &[&VERSION],
        operand: None,
        run: version::run,
    },
];
