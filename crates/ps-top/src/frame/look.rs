//! Colours, symbols and widths.

use jiff::tz::TimeZone;

/// How things are drawn.
#[derive(Clone, Debug)]
pub(crate) struct Look {
    pub(crate) has_colours: bool,
    /// Nothing but ASCII is drawn, whatever instances write.
    pub(crate) is_ascii: bool,
    /// In which times are shown.
    pub(crate) zone: TimeZone,
}
