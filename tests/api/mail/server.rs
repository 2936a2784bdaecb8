//! A mail server that does as it is told.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use mail_parser::MessageParser;

/// What it does from now on, connections that are open included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    Accept,
    /// Says this instead of a greeting.
    Greet(&'static str),
    /// Answers this command with this.
    Answer(&'static str, &'static str),
    /// Closes the connection instead of answering this command.
    Close(&'static str),
    /// Never answers this command.
    Silent(&'static str),
}

/// What stands for a command once the text has been sent.
pub const TEXT: &str = ".";

#[derive(Clone)]
pub struct MailServer {
    pub port: u16,
    manner: Arc<Mutex<Manner>>,
    mails: Arc<Mutex<Vec<Mail>>>,
    connections: Arc<Mutex<Vec<String>>>,
}

/// What a server has been given to the end, whatever it answered.
#[derive(Clone, Debug)]
pub struct Mail {
    pub from: String,
    pub to: String,
    pub source: String,
}

impl MailServer {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let manner = Arc::new(Mutex::new(Manner::Accept));
        let server = Self { port, manner, mails: Arc::default(), connections: Arc::default() };
        let serving = server.clone();
        // Its threads end with the connections, and with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        server
    }

    pub fn behave(&self, manner: Manner) {
        *self.manner.lock().unwrap() = manner;
    }

    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }

    /// All that was said to it before and beside the mails, one text a connection.
    pub fn commands(&self) -> Vec<String> {
        self.connections.lock().unwrap().clone()
    }

    fn serve(&self, stream: TcpStream) -> Option<()> {
        let number = {
            let mut connections = self.connections.lock().unwrap();
            connections.push(String::new());
            connections.len() - 1
        };
        let mut input = BufReader::new(stream.try_clone().ok()?);
        let mut output = stream;
        let mut say = move |text: &str| output.write_all(format!("{text}\r\n").as_bytes()).ok();
        match *self.manner.lock().unwrap() {
            Manner::Greet(text) => return say(text),
            _ => say("220 mail.example ready")?,
        }
        let (mut from, mut to) = (String::new(), String::new());
        loop {
            let line = read_line(&mut input)?;
            self.connections.lock().unwrap()[number] += &format!("{line}\n");
            let verb = line.split([' ', ':']).next().unwrap_or_default().to_uppercase();
            match verb.as_str() {
                "MAIL" => from = address(&line),
                "RCPT" => to = address(&line),
                _ => {}
            }
            if !self.answer(&verb, &mut say)? {
                continue;
            }
            if verb == "QUIT" {
                return None;
            }
            if verb == "DATA" {
                let source = read_text(&mut input)?;
                self.mails.lock().unwrap().push(Mail { from: from.clone(), to: to.clone(), source });
                self.answer(TEXT, &mut say)?;
            }
        }
    }

    /// Whether it agreed. `None` closes the connection.
    fn answer(&self, verb: &str, say: &mut impl FnMut(&str) -> Option<()>) -> Option<bool> {
        let manner = *self.manner.lock().unwrap();
        match manner {
            Manner::Answer(command, text) if command == verb => {
                say(text)?;
                Some(text.starts_with(['2', '3']))
            }
            Manner::Close(command) if command == verb => None,
            // Whom it would not let in now, it does not keep either.
            Manner::Greet(_) | Manner::Close("EHLO") | Manner::Answer("AUTH", _) if verb == "RSET" => None,
            Manner::Silent(command) if command == verb => Some(false),
            _ => {
                say(match verb {
                    "EHLO" => "250-mail.example\r\n250-AUTH PLAIN LOGIN\r\n250 8BITMIME",
                    "AUTH" => "235 welcome",
                    "DATA" => "354 go ahead",
                    _ => "250 ok",
                })?;
                Some(true)
            }
        }
    }
}

impl Mail {
    pub fn header(&self, name: &str) -> Option<String> {
        let mail = MessageParser::default().parse(&self.source).unwrap();
        mail.header_raw(name.to_owned()).map(|value| value.trim().to_owned())
    }

    pub fn text(&self) -> String {
        let mail = MessageParser::default().parse(&self.source).unwrap();
        String::from_utf8(mail.parts[0].contents().to_vec()).unwrap()
    }
}

fn address(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

fn read_line(input: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    (input.read_line(&mut line).ok()? > 0).then(|| line.trim_end_matches("\r\n").to_owned())
}

fn read_text(input: &mut impl BufRead) -> Option<String> {
    let mut text = String::new();
    loop {
        let line = read_line(input)?;
        if line == "." {
            return Some(text);
        }
        text += line.strip_prefix('.').unwrap_or(&line);
        text += "\r\n";
    }
}
