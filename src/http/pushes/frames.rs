//! Refuses a frame by what it announces.
//!
//! Actix's codec refuses one that is too large only once it has all of it, in memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt};

/// Bytes a frame may have.
pub const MOST: u64 = 64 * 1024;

/// The same bytes, until a frame is announced that has more than [`MOST`]: then `Overflow` instead.
pub fn bounded(payload: Payload) -> Payload {
    Payload::Stream { payload: Box::pin(Bounded { payload, place: Place::default() }) }
}

struct Bounded {
    payload: Payload,
    place: Place,
}

/// Where in the frames (RFC 6455, section 5.2) what has been read ends.
#[derive(Default)]
struct Place {
    header: [u8; 14],
    /// Bytes of the header that have been read.
    read: usize,
    /// Bytes of the frame that have not, once its header has been.
    left: u64,
}

impl Stream for Bounded {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.payload.poll_next_unpin(cx).map(|next| {
            next.map(|read| {
                let bytes = read?;
                if self.place.pass(&bytes) { Ok(bytes) } else { Err(PayloadError::Overflow) }
            })
        })
    }
}

impl Place {
    /// `false` at a frame that is too large.
    fn pass(&mut self, mut bytes: &[u8]) -> bool {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let step = bytes.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
                self.left -= step as u64;
                bytes = &bytes[step..];
                continue;
            }
            self.header[self.read] = *first;
            self.read += 1;
            bytes = rest;
            if let Some(length) = announced(&self.header[..self.read]) {
                (self.read, self.left) = (0, length);
            }
            if self.left > MOST {
                return false;
            }
        }
        true
    }
}

/// The length of the frame, once its header is complete.
fn announced(header: &[u8]) -> Option<u64> {
    let second = *header.get(1)?;
    let extended = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    if header.len() < 2 + extended + mask {
        return None;
    }
    let length = match extended {
        0 => u64::from(second & 0x7f),
        _ => header[2..2 + extended].iter().fold(0, |length, byte| length << 8 | u64::from(*byte)),
    };
    Some(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a client sends it, its length in no more bytes than it takes.
    fn header(length: u64) -> Vec<u8> {
        let mut header = vec![0x82];
        match length {
            0..126 => header.push(0x80 | length as u8),
            126..0x1_0000 => {
                header.push(0x80 | 126);
                header.extend((length as u16).to_be_bytes());
            }
            _ => {
                header.push(0x80 | 127);
                header.extend(length.to_be_bytes());
            }
        }
        header.extend([1, 2, 3, 4]);
        header
    }

    fn passes(sent: &[u8], piece: usize) -> bool {
        let mut place = Place::default();
        sent.chunks(piece).all(|piece| place.pass(piece))
    }

    proptest! {
        #[test]
        fn a_frame_is_refused_by_its_header_however_it_is_cut(
            before in prop::collection::vec(0..=MOST, 0..4),
            large in MOST + 1..=u64::MAX,
            piece in 1..200_000_usize,
        ) {
            let mut sent = Vec::new();
            for length in before {
                sent.extend(header(length));
                // What would announce a large one, were it a header.
                sent.resize(sent.len() + length as usize, 0xff);
            }
            prop_assert!(passes(&sent, piece));
            let large = header(large);
            sent.extend(&large[..large.len() - 1]);
            prop_assert!(passes(&sent, piece));
            sent.push(0);
            prop_assert!(!passes(&sent, piece));
        }
    }
}
