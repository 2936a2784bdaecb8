//! An endpoint that does as it is told.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;

/// What it does from now on, connections that are open included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manner {
    /// With these lines of headers, each with its line break.
    Answer(u16, &'static str),
    Redirect(String),
    /// Closes the connection instead of answering.
    Close,
    /// Never answers.
    Silent,
}

#[derive(Clone)]
pub struct Receiver {
    pub url: String,
    manner: Arc<Mutex<Manner>>,
    calls: Arc<Mutex<Vec<Call>>>,
}

/// What it was sent.
#[derive(Clone, Debug)]
pub struct Call {
    pub line: String,
    headers: Vec<(String, String)>,
    pub body: String,
}

impl Receiver {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hooks?a=b", listener.local_addr().unwrap());
        let receiver =
            Self { url, manner: Arc::new(Mutex::new(Manner::Answer(204, ""))), calls: Arc::default() };
        let serving = receiver.clone();
        // Its threads end with the connections, and with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        receiver
    }

    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub fn count(&self) -> usize {
        self.calls.lock().unwrap().len()
    }

    /// `None` when the connection has ended.
    fn serve(&self, mut stream: TcpStream) -> Option<()> {
        let mut input = BufReader::new(stream.try_clone().ok()?);
        loop {
            let call = receive(&mut input)?;
            self.calls.lock().unwrap().push(call);
            let manner = self.manner.lock().unwrap().clone();
            let (status, headers) = match manner {
                Manner::Answer(status, headers) => (status, headers.to_owned()),
                Manner::Redirect(location) => (302, format!("location: {location}\r\n")),
                Manner::Close => return None,
                Manner::Silent => loop {
                    std::thread::park();
                },
            };
            let body = if status == 204 { "" } else { "content-length: 4\r\n\r\nseen" };
            let end = if status == 204 { "\r\n" } else { "" };
            write!(stream, "HTTP/1.1 {status} So\r\n{headers}{body}{end}").ok()?;
        }
    }
}

fn receive(input: &mut BufReader<TcpStream>) -> Option<Call> {
    let mut line = String::new();
    (input.read_line(&mut line).ok()? > 0).then_some(())?;
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        input.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        headers.push((name.to_lowercase(), value.to_owned()));
    }
    let call = Call { line: line.trim_end().to_owned(), headers, body: String::new() };
    let mut body = vec![0; call.header("content-length").parse().ok()?];
    input.read_exact(&mut body).ok()?;
    Some(Call { body: String::from_utf8(body).ok()?, ..call })
}

impl Call {
    pub fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// How many of its signatures each of these secrets makes, as a receiver would check them.
    pub fn signed_by(&self, secrets: &[&str]) -> Vec<usize> {
        let signed =
            format!("{}.{}.{}", self.header("webhook-id"), self.header("webhook-timestamp"), self.body);
        let made = |secret: &&str| {
            let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
            let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
            mac.update(signed.as_bytes());
            let signature = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
            self.header("webhook-signature").split(' ').filter(|one| *one == signature).count()
        };
        secrets.iter().map(made).collect()
    }
}
