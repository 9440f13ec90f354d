//! The Procfile: its grammar, a document that keeps every byte, the expansion of variables, and env files. This crate
//! reads no file and no environment: bytes come in and values go out.

mod advice;
mod ambient;
mod circumstances;
mod document;
mod dotenv;
mod edit;
mod env_file;
mod env_file_error;
mod excerpt;
mod expand;
mod grammar;
mod lint;
mod options;
mod order;
mod problem;
mod problem_kind;
mod proposal;
mod shell;
mod simple_command;
mod space;
mod text;
mod tidy;
mod words;

pub use advice::Advice;
pub use ambient::Ambient;
pub use document::{Entry, MAX_FILE_BYTES, MAX_LINE_BYTES, MAX_TYPES, Procfile};
pub use dotenv::{Grammar, Reading};
pub use edit::{EditError, Placement};
pub use env_file::EnvFile;
pub use env_file_error::{EnvFileError, EnvFileWarning, Oddity};
pub use expand::{Variables, expand};
pub use lint::{Warning, WarningKind};
pub use options::{Delimiter, InvalidDelimiter, ParseOptions};
pub use problem::{MAX_PROBLEMS, ParseError, Problem};
pub use problem_kind::ProblemKind;
pub use shell::{Expanded, Style, expand_in_style};
pub use simple_command::{is_simple_command, shell_script};
pub use text::{NotText, text};
pub use words::words;

/// Makes the example of the README a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
