//! The caller's choices. Each choice only adds to what is masked in any case, or changes how it is reported.

use crate::Style;

/// The choices of a caller. The default shows names and little else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct Policy {
    /// How placeholders are written. It never changes what is masked.
    pub style: Style,
    /// Show words of command lines unless they look like credentials or follow a secret's name.
    pub show_commands: bool,
    /// Mask names: of containers, images, networks, volumes, hosts, users, directories.
    pub hide_names: bool,
    /// Mask e-mail addresses, public IP addresses and card numbers wherever they would be shown.
    pub pii: bool,
    /// Report in [`crate::Summary::reasons`] where something was masked, and why.
    pub explain: bool,
}
