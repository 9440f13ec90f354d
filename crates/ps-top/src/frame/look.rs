//! Colours, symbols and widths.

use jiff::tz::TimeZone;

/// The style of drawing.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) has_colours: bool,
    /// Whether only ASCII is drawn, also for output of instances.
    pub(crate) is_ascii: bool,
    /// The time zone of the shown times.
    pub(crate) zone: TimeZone,
}
