//! `procfile-util import` as a shell sees it.
