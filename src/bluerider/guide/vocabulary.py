"""The words records are written in: types, relations and their inverses, aspects, states."""

from typing import NamedTuple

TYPES = (
    "model",
    "technique",
    "prompt-modifier",
    "prompt-recipe",
    "source",
    "product",
    "risk",
    "mitigation",
    "pattern",
    "benchmark",
    "dataset",
    "event",
    "person-or-community",
    "term",
    "measurement",
)
ASIDE = ("measurement",)  # made by a command, found where asked for: a word's page shows them
DOMAINS = (
    "image",
    "text",
    "code",
    "audio",
    "video",
    "3d",
    "multimodal",
    "search",
    "infra",
    "agents",
    "safety",
    "legal",
    "product",
    "efficiency",
)
LIFECYCLE = ("data", "train", "tune", "serve", "prompt", "evaluate", "operate")
LEVELS = ("beginner", "intermediate", "advanced")
STATUSES = ("current", "superseded", "deprecated", "disputed")
CLAIM_STATUSES = ("checked", "recalled", "disputed", "superseded")
CONFIDENCES = ("high", "medium", "low")  # primary source read, secondary source, a single post

# A record is stale this many days after its last review, unless it says otherwise.
REVIEW_DAYS = {
    "model": 90,
    "product": 90,
    "risk": 180,
    "mitigation": 180,
    "benchmark": 180,
    "source": 365,
    "technique": 365,
    "pattern": 365,
    "prompt-modifier": 365,
    "prompt-recipe": 365,
    "dataset": 365,
    "person-or-community": 365,
    "event": 3650,
    "term": 3650,
    "measurement": 3650,
}


class Rel(NamedTuple):
    """A relation: what it is called from the other end, and which types it may join (() is any)."""

    inverse: str
    origin: tuple[str, ...] = ()
    target: tuple[str, ...] = ()


FORWARD = {
    "uses": Rel("used-by"),
    "implements": Rel("implemented-by"),
    "part-of": Rel("has-part"),
    "based-on": Rel("basis-of"),
    "variant-of": Rel("has-variant"),
    "supersedes": Rel("superseded-by"),
    "enables": Rel("enabled-by"),
    "improves": Rel("improved-by"),
    "mitigates": Rel("mitigated-by", ("mitigation",), ("risk",)),
    "affects": Rel("affected-by", ("risk",)),
    "incident-of": Rel("has-incident", ("event",), ("risk",)),
    "measures": Rel("measured-by", ("benchmark", "measurement")),
    "trained-on": Rel("trains", (), ("dataset",)),
    "made-by": Rel("made", (), ("person-or-community",)),
    "teaches": Rel("taught-by", ("source",)),
    "requires": Rel("required-by"),
    "introduces": Rel("introduced-by", ("source", "event", "model", "product")),
    "example-of": Rel("has-example"),
}
SYMMETRIC = ("alternative-to", "conflicts-with", "synonym-of", "related")
RELS = {
    **FORWARD,
    **{rel.inverse: Rel(name, rel.target, rel.origin) for name, rel in FORWARD.items()},
    **{name: Rel(name) for name in SYMMETRIC},
}

# --- what belongs to one type ---

COMMERCIAL = ("yes", "no", "conditions")
MODEL_STATES = ("live", "retired", "announced")
MODALITIES = ("text", "image", "audio", "video", "3d", "embedding", "depth", "mask", "action")
SUPPORTS = (
    "text2img",
    "img2img",
    "inpaint",
    "outpaint",
    "depth",
    "mix",
    "controlnet",
    "lora",
    "dreambooth",
    "textual-inversion",
    "negative-prompt",
    "weighting",
    "regional",
    "text-rendering",
    "image-editing",
    "chat",
    "tool-use",
    "reasoning",
    "code-completion",
    "fill-in-the-middle",
    "vision",
    "embedding",
    "reranking",
    "speech-to-text",
    "text-to-speech",
    "music",
    "structured-output",
)
CATEGORIES = (
    "style",
    "medium",
    "movement",
    "lighting",
    "colour",
    "composition",
    "camera",
    "lens",
    "film",
    "texture",
    "mood",
    "quality",
    "render",
    "era",
    "background",
    "size",
    "negative",
)
MODIFIER_KINDS = ("subject", "style", "image-prompt", "quality-booster", "repetition", "magic")
ASPECTS = (
    "brightness",
    "contrast",
    "saturation",
    "colour-temperature",
    "palette",
    "sharpness",
    "depth-of-field",
    "edges",
    "detail",
    "texture",
    "background",
    "lighting",
    "framing",
    "perspective",
    "area",
    "position",
    "pose",
    "mood",
    "medium",
    "style",
    "era",
    "realism",
    "quality",
)
DIRECTIONS = ("up", "down", "toward", "none")
SYNTAXES = ("plain", "weighted")
SETTINGS = (  # of a request, that a recipe for pictures may bring
    "steps",
    "guidance",
    "prior-steps",
    "prior-guidance",
    "sampler",
    "spacing",
    "eta",
)
SOURCE_KINDS = (
    "paper",
    "repo",
    "docs",
    "post",
    "video",
    "course",
    "book",
    "dataset",
    "standard",
    "podcast",
    "newsletter",
    "community",
    "tool",
)
SOURCE_STYLES = ("hands-on", "video", "visual", "paper", "reference", "interactive", "audio")
PRICES = ("free", "paid", "freemium")
PRODUCT_STATES = ("live", "preview", "acquired", "closed")
LAYERS = ("model", "infra", "framework", "app")
RISK_LEVELS = ("model", "system", "alignment", "legal", "society")
COMPONENTS = (
    "user-input",
    "external-documents",
    "vector-store",
    "tools",
    "memory",
    "multi-user",
    "code-execution",
    "output-rendering",
    "training",
    "fine-tuning",
    "third-party-models",
    "system-prompt",
    "images",
    "autonomy",
    "public-endpoint",
)
MITIGATION_KINDS = ("prevent", "detect", "limit", "recover")
EVENT_KINDS = (
    "release",
    "paper",
    "incident",
    "law",
    "funding",
    "acquisition",
    "shutdown",
    "standard",
    "benchmark",
)
PARTY_KINDS = ("person", "community", "company", "lab", "project", "foundation", "agency")
PARTY_STATES = ("active", "quiet", "gone")
ARMS = ("word", "placebo")
