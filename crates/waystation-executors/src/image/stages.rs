//! The two stages: one that finds the page itself, one that is told where it is.

use std::sync::Arc;

use async_trait::async_trait;
use image::RgbImage;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use waystation_core::Params;
use waystation_core::event::Level;
use waystation_core::failure::{ErrorKind, Failure};
use waystation_core::handler::{Completion, Context, Handler};
use waystation_core::pipeline::Executor;

use super::photo;
use crate::page::{Quad, find_page, warp_page};
use crate::settings::{self, Folder};

/// Fewer pixels are no page that anybody could read.
const AREA_MIN: f32 = 2_500.0;

#[derive(Clone)]
struct Straighten {
    /// Where pages go.
    folder: Folder,
    /// The param that names the photo.
    photo: String,
    /// The param that holds the corners; the page is looked for without one.
    corners: Option<String>,
}

/// What a stage of the type `image.rectify` is told. It adds `page` and `corners`, or ends as `ko`
/// with `reason`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rectify {
    /// Where pages go.
    folder: Folder,
    /// The param that names the photo.
    #[serde(default = "photo")]
    #[schemars(length(min = 1))]
    photo: String,
}

/// What a stage of the type `image.warp` is told. Corners that make no page end as `ko` with
/// `reason`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Warp {
    /// Where pages go.
    folder: Folder,
    /// The param that names the photo.
    #[serde(default = "photo")]
    #[schemars(length(min = 1))]
    photo: String,
    /// The param that holds the corners: four `[x, y]` in pixels of the photo, in any order.
    #[serde(default = "corners")]
    #[schemars(length(min = 1))]
    corners: String,
}

fn photo() -> String {
    "path".to_owned()
}

fn corners() -> String {
    "corners".to_owned()
}

/// Makes a stage that finds the page itself.
pub fn build_rectify(params: &Params) -> Result<Executor, Vec<String>> {
    let Rectify { folder, photo } = settings::read(params)?;
    Ok(Executor::Worker(Arc::new(Straighten { folder, photo, corners: None })))
}

/// Makes a stage that is told where the page is.
pub fn build_warp(params: &Params) -> Result<Executor, Vec<String>> {
    let Warp { folder, photo, corners } = settings::read(params)?;
    Ok(Executor::Worker(Arc::new(Straighten { folder, photo, corners: Some(corners) })))
}

#[async_trait]
impl Handler for Straighten {
    async fn run(&self, context: Context, params: Params) -> Result<Completion, Failure> {
        let stage = self.clone();
        // Pixel work would hold up every other attempt on this thread.
        let work = tokio::task::spawn_blocking(move || stage.straighten(&context, &params));
        work.await.map_err(|error| Failure::from_error(ErrorKind::Panic, &error))?
    }
}

impl Straighten {
    fn straighten(&self, context: &Context, params: &Params) -> Result<Completion, Failure> {
        let (path, image) = photo::read(params, &self.photo)?;
        context.progress(20.0, "photo read");
        let corners = match &self.corners {
            // A slip of somebody's hand is for somebody's hand to mend.
            Some(param) => match given(params, param, &image) {
                Ok(corners) => corners,
                Err(reason) => return Ok(unable(&reason)),
            },
            None => match find_page(&image) {
                Ok(corners) => corners,
                Err(reason) => {
                    context.log(Level::Warn, &format!("{}: {reason}", path.display()));
                    return Ok(unable(&reason.to_string()));
                }
            },
        };
        context.progress(60.0, "page found");
        let page = warp_page(&image, &corners);
        let written = photo::write(&page, self.folder.path(), &format!("{}.png", context.job_id))?;
        let mut output = Params::new();
        output.insert("page".into(), json!(written));
        output.insert("corners".into(), json!(corners));
        Ok(Completion::ok(output))
    }
}

/// The work was not done, and why.
fn unable(reason: &str) -> Completion {
    let mut output = Params::new();
    output.insert("reason".into(), json!(reason));
    Completion::labelled("ko", output)
}

/// The corners that somebody gave.
fn given(params: &Params, param: &str, image: &RgbImage) -> Result<Quad, String> {
    let value = params.get(param).cloned().unwrap_or_default();
    let shown = value.to_string();
    let corners: Quad = serde_json::from_value(value).map_err(|error| {
        format!("param `{param}` must be four corners [[x, y], …], not {shown}: {error}")
    })?;
    let (width, height) = image.dimensions();
    // A corner may lie beyond the edge, where the photo cut the page off, but not far.
    let (far_x, far_y) = (width as f32, height as f32);
    let inside =
        |x: f32, y: f32| x >= -far_x && x <= 2.0 * far_x && y >= -far_y && y <= 2.0 * far_y;
    match corners.corners().iter().find(|point| !inside(point.x, point.y)) {
        None if corners.area() < AREA_MIN => Err(format!(
            "the corners of param `{param}` hold {:.0} pixels, too few for a page ({AREA_MIN})",
            corners.area()
        )),
        None => Ok(corners),
        Some(point) => Err(format!(
            "corner [{}, {}] of param `{param}` lies far outside the photo of {width} x {height}",
            point.x, point.y
        )),
    }
}
