//! A collector of traces: takes what is posted by OTLP over HTTP, and shows the spans in it.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use nexus_actors::domain::trace_parent::TraceParent;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, Span};
use prost::Message;

#[derive(Clone)]
pub struct Collector {
    pub endpoint: String,
    spans: Arc<Mutex<Vec<Seen>>>,
}

/// A span, as it came.
#[derive(Clone, Debug)]
pub struct Seen {
    pub trace: u128,
    pub id: u64,
    /// 0: it has none.
    pub parent: u64,
    pub name: String,
    pub kind: SpanKind,
    pub attributes: BTreeMap<String, String>,
    /// Traces that it names.
    pub links: Vec<u128>,
    pub failed: bool,
    pub service: String,
}

impl Collector {
    pub fn start() -> Self {
        Self::serving(true)
    }

    /// One that takes connections and never answers.
    pub fn silent() -> Self {
        Self::serving(false)
    }

    /// Nothing listens there.
    pub fn away() -> Self {
        let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        Self { endpoint: format!("http://{unused}"), spans: Arc::default() }
    }

    fn serving(answers: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let collector = Self { endpoint, spans: Arc::default() };
        let serving = collector.clone();
        // Its threads end with the connections, and with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream, answers));
            }
        });
        collector
    }

    /// `None` when the connection has ended.
    fn serve(&self, mut stream: TcpStream, answers: bool) -> Option<()> {
        let mut input = BufReader::new(stream.try_clone().ok()?);
        loop {
            let body = receive(&mut input)?;
            if !answers {
                loop {
                    std::thread::park();
                }
            }
            let request = ExportTraceServiceRequest::decode(&*body).unwrap();
            self.spans.lock().unwrap().extend(request.resource_spans.into_iter().flat_map(seen));
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
        }
    }

    pub fn spans(&self) -> Vec<Seen> {
        self.spans.lock().unwrap().clone()
    }

    /// The first of these spans, if it is there.
    pub fn find(&self, fits: impl Fn(&Seen) -> bool) -> Option<Seen> {
        self.spans().into_iter().find(fits)
    }

    /// The names of a span and of those it is in, up to the first whose parent is elsewhere, with that one's parent.
    pub fn line_of(&self, span: &Seen) -> (Vec<String>, u64) {
        let spans = self.spans();
        let (mut names, mut at) = (vec![span.name.clone()], span);
        while let Some(above) = spans.iter().find(|one| one.trace == at.trace && one.id == at.parent) {
            names.push(above.name.clone());
            at = above;
        }
        (names, at.parent)
    }
}

impl Seen {
    pub fn is(&self, place: TraceParent) -> bool {
        (self.trace, self.id) == (place.trace, place.span)
    }

    #[track_caller]
    pub fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).unwrap_or_else(|| panic!("{name} is not among {:?}", self.attributes))
    }
}

fn receive(input: &mut BufReader<TcpStream>) -> Option<Vec<u8>> {
    let mut line = String::new();
    input.read_line(&mut line).ok()?;
    (!line.is_empty()).then_some(())?;
    assert_eq!(line.trim_end(), "POST /v1/traces HTTP/1.1");
    let (mut length, mut kind) = (0, String::new());
    loop {
        let mut header = String::new();
        input.read_line(&mut header).ok()?;
        let Some((name, value)) = header.trim_end().split_once(": ") else { break };
        match name.to_lowercase().as_str() {
            "content-length" => length = value.parse().unwrap(),
            "content-type" => kind = value.to_owned(),
            _ => {}
        }
    }
    assert_eq!(kind, "application/x-protobuf");
    let mut body = vec![0; length];
    input.read_exact(&mut body).ok()?;
    Some(body)
}

fn seen(of_one_service: ResourceSpans) -> Vec<Seen> {
    let resource = texts(of_one_service.resource.unwrap().attributes);
    let service = resource["service.name"].clone();
    let spans = of_one_service.scope_spans.into_iter().flat_map(|scope| scope.spans);
    spans.map(|span| seen_one(span, &service)).collect()
}

fn seen_one(span: Span, service: &str) -> Seen {
    assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
    Seen {
        trace: trace_id(&span.trace_id),
        id: span_id(&span.span_id),
        parent: if span.parent_span_id.is_empty() { 0 } else { span_id(&span.parent_span_id) },
        kind: span.kind(),
        failed: span.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error),
        name: span.name,
        attributes: texts(span.attributes),
        links: span.links.iter().map(|link| trace_id(&link.trace_id)).collect(),
        service: service.to_owned(),
    }
}

fn trace_id(bytes: &[u8]) -> u128 {
    u128::from_be_bytes(bytes.try_into().unwrap())
}

fn span_id(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(bytes.try_into().unwrap())
}

fn texts(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|one| (one.key, text(one.value))).collect()
}

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => panic!("{other:?} is neither text nor number"),
    }
}
