//! What a caller sends.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::net::UnixStream;

/// One request as sent; what there is of it where the caller has gone.
///
/// # Panics
/// Where a body does not come that was announced.
pub fn head_and_body(client: &UnixStream) -> Vec<u8> {
    let mut reader = BufReader::new(client);
    let mut request = Vec::new();
    let mut length = 0;
    while !request.ends_with(b"\r\n\r\n") {
        let before = request.len();
        if reader.read_until(b'\n', &mut request).unwrap_or(0) == 0 {
            return request;
        }
        let line = String::from_utf8_lossy(&request[before..]).to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("the body that was announced");
    request.extend(body);
    request
}
