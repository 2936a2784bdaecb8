//! Style, scripts and icon, from the binary.

use std::sync::LazyLock;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use nexus_actors::digest::sha256;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    bytes: &'static [u8],
}

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";

/// htmx and its extension are as their projects publish them; see `assets/README.md`.
const ASSETS: &[Asset] = &[
    Asset {
        name: "console.css",
        content_type: "text/css; charset=utf-8",
        bytes: include_bytes!("assets/console.css"),
    },
    Asset { name: "console.js", content_type: JAVASCRIPT, bytes: include_bytes!("assets/console.js") },
    Asset { name: "htmx.min.js", content_type: JAVASCRIPT, bytes: include_bytes!("assets/htmx.min.js") },
    Asset { name: "sse.min.js", content_type: JAVASCRIPT, bytes: include_bytes!("assets/sse.min.js") },
    Asset { name: "icon.svg", content_type: "image/svg+xml", bytes: include_bytes!("assets/icon.svg") },
];

/// Of all of them: with another one their addresses are others, so that browsers can keep them for ever.
static REVISION: LazyLock<String> = LazyLock::new(|| {
    let all: Vec<u8> = ASSETS.iter().flat_map(|asset| asset.bytes).copied().collect();
    sha256(&all).chars().take(12).collect()
});

pub fn routes(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/assets/{name}").get(serve))
        .service(web::resource("/favicon.ico").get(icon));
}

/// Where a page finds it.
pub fn link(name: &str) -> String {
    format!("/assets/{name}?v={}", *REVISION)
}

async fn serve(request: HttpRequest) -> HttpResponse {
    answer(request.match_info().get("name").unwrap_or_default())
}

async fn icon() -> HttpResponse {
    answer("icon.svg")
}

fn answer(name: &str) -> HttpResponse {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return HttpResponse::NotFound().finish();
    };
    HttpResponse::Ok()
        .content_type(asset.content_type)
        .insert_header((header::CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .body(asset.bytes)
}
