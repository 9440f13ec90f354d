//! The file `CHECKS` of a source, which is used if app.json has no checks.

use crate::Error;

/// The name of the file.
pub(crate) const CHECKS: &str = "CHECKS";

/// The app.json of a source, completed with the checks of its file CHECKS.
pub(crate) fn heeded(checks: Option<Vec<u8>>, app_json: Option<Vec<u8>>) -> Result<Option<Vec<u8>>, Error> {
    let Some(file) = checks else { return Ok(app_json) };
    let converted = app_json::with_checks_file(app_json.as_deref(), &file).map_err(Error::BadChecksFile)?;
    Ok(converted.or(app_json))
}
