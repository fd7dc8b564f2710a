"""Training: the original trainers' losses and gradients out of our lessons."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from bluerider.catalog import PRIOR_SCHEDULE, SCHEDULE_20, SCHEDULE_21, SCHEDULE_SD
from bluerider.diffusion.loss import elbo_weight, simple_loss, target, variance_loss
from bluerider.diffusion.schedule import Posterior, Schedule
from bluerider.training.tuning.chosen import frozen
from bluerider.training.tuning.draws import Draw
from bluerider.training.tuning.inpainting import Known
from bluerider.training.tuning.lessons import DecoderLesson, Lesson, PriorLesson, halved
from bluerider.training.tuning.told import Cached
from bluerider.training.tuning.tuner import follow
from bluerider.weights import infer, originals
from bluerider.weights.keymaps import Keymap
from tests.goldens.case import Case, check, close
from tests.goldens.check_nets import autoencoder, decoder, kandinsky, prior_of, shapes

LOSS = {"rtol": 1e-5, "atol": 1e-7}


def drawn(t: Tensor, noise: Tensor, blur: Tensor | None = None) -> Draw:
    rows = torch.arange(len(t))
    return Draw(rows, t, noise, blur, torch.zeros(len(t), 2, dtype=torch.bool))


def told(*values: Tensor) -> Cached:
    return Cached(values, tuple(value[:1] for value in values), drop=0)


def whole(pair: tuple[nn.Module, nn.Module]) -> nn.ModuleDict:
    """U-Net and conditioner as they train."""
    net = nn.ModuleDict({"unet": pair[0], "conditioner": pair[1]})
    return net.requires_grad_(True)


def hold_gradients(case: Case, net: nn.Module, keymap: Keymap, skip: tuple[str, ...] = ()) -> None:
    """Each recorded gradient of a parameter, and the norm of all of them."""
    ours = dict(net.named_parameters())
    for name, theirs in case.under("out.grad.").items():
        if name in skip:
            continue
        for own, wanted in keymap.read({name: theirs}).items():
            grad = ours[own].grad
            assert grad is not None, own
            close(grad, wanted, rtol=1e-3, atol=1e-3 * float(theirs.abs().max()))
    squares = [p.grad.square().sum() for p in ours.values() if p.grad is not None]
    close(torch.stack(squares).sum().sqrt(), case["out.grad_norm_total"], rtol=1e-3)


def maps(case: Case, net: nn.ModuleDict) -> Keymap:
    return originals.unet(net["unet"].config, net["conditioner"].config)


@check("h5")
def latent_diffusion_losses(case: Case) -> None:
    config = case.meta["config"]
    net = whole(decoder(case.weights, heads=4))
    predict = {"eps": "eps", "x0": "x0"}[config.get("parameterization", "eps")]
    schedule = Schedule(replace(SCHEDULE_SD, predict=predict))
    cond = case["in.cond"].clone().requires_grad_()
    absolute = config.get("loss_type", "l2") == "l1"
    draw = drawn(case["in.t"], case["in.noise"])
    lesson = DecoderLesson(net, schedule, [Live(cond)], case["in.x_start"], absolute=absolute)
    simple = lesson(draw)
    bound = (elbo_weight(schedule, draw.t) * simple).mean()
    simple_share = config.get("l_simple_weight", 1.0)
    loss = simple_share * simple.mean() + config.get("original_elbo_weight", 0.0) * bound
    close(loss.detach(), case["out.loss"], **LOSS)
    close(simple.mean().detach(), case["out.train.loss_simple"], **LOSS)
    close(bound.detach(), case["out.train.loss_vlb"], rtol=1e-4, atol=1e-7)
    loss.backward()
    assert cond.grad is not None
    close(cond.grad, case["out.grad.cond"], rtol=1e-3, atol=1e-3 * float(cond.grad.abs().max()))
    hold_gradients(case, net, maps(case, net), skip=("cond",))


class Live(nn.Module):
    """Conditions that are learned themselves, as by a text tower that trains."""

    def __init__(self, table: Tensor) -> None:
        super().__init__()
        self.table = table

    def forward(self, row: Tensor, drop: Tensor) -> tuple[Tensor]:
        return (self.table[row],)


@check("h6")
def dreambooth_step(case: Case) -> None:
    """Two passes of the original are one batch of ours, each half with its own t and noise."""
    config = case.meta["config"]
    scale = config["scale_factor"]
    files = case.meta["weights_files"]
    first = autoencoder(case, case.only(files[-1]), scale)
    net = whole(decoder(case.only(files[0]) | case.only(files[1]), heads=4))
    halves = ("train", "reg")

    def both(name: str) -> Tensor:
        return torch.cat([case[f"in.{half}_{name}"] for half in halves])

    mean, log_variance = first.moments(both("image_bhwc").movedim(-1, 1))
    assert log_variance is not None
    cond = both("cond").clone().requires_grad_()
    lesson = DecoderLesson(
        net,
        Schedule(SCHEDULE_SD),
        [Live(cond)],
        mean * scale,
        spread=(0.5 * log_variance).exp() * scale,
    )
    losses = lesson(drawn(both("t"), both("noise"), both("posterior_noise")))
    loss, means = halved(losses, len(case["in.train_t"]), config["reg_weight"])
    close(loss.detach(), case["out.loss"], **LOSS)
    close(means[0], case["out.loss_train"], **LOSS)
    close(means[1], case["out.loss_reg"], **LOSS)
    loss.backward()
    assert cond.grad is not None
    captions = torch.stack([half.sum(0) for half in cond.grad.split(len(case["in.train_t"]))])
    scale = float(captions.abs().max())
    close(captions, case["out.grad.cond_table"][:2], rtol=1e-3, atol=1e-3 * scale)
    hold_gradients(case, net, maps(case, net), skip=("cond_table",))


def hold_terms(case: Case, lesson: Lesson, draw: Draw, answer: Tensor) -> None:
    """Per-sample loss, and its two terms."""
    x0, schedule = lesson.x0, lesson.schedule
    error = simple_loss(answer, target(schedule, x0, draw.noise, draw.t))
    bound = variance_loss(schedule.posterior, answer, x0, draw.noise, draw.t)
    close(error, case["out.mse"], **LOSS)
    close(bound, case["out.vb"], rtol=1e-4, atol=1e-6)


@check("i1", "i2")
def unclip_step(case: Case) -> None:
    """Kandinsky 2.1's decoder; with a mask, the known part of the picture joins the input."""
    net = whole(kandinsky(case))
    conditions = told(*(case[f"in.{n}"] for n in ("image_emb", "full_emb", "pooled_emb")))
    schedule, x0 = Schedule(SCHEDULE_21), case["in.x_start"]
    draw, beside = drawn(case["in.t"], case["in.noise"]), None
    if "in.raw_mask" in case:
        draw, beside = draw._replace(mask=case["in.raw_mask"][:, None]), Known()
        known = beside(draw.row, x0, draw.mask)
        close(known[:, :4], case["out.cond.inpaint_image"])
        close(known[:, 4:], case["out.cond.inpaint_mask"])
    lesson = DecoderLesson(net, schedule, [conditions], x0, variance=True, beside=beside)
    losses = lesson(draw)
    close(losses.detach(), case["out.loss"], rtol=1e-4, atol=1e-6)
    close(losses.mean().detach(), case["out.loss_mean"], rtol=1e-5, atol=1e-6)
    losses.mean().backward()
    hold_gradients(case, net, maps(case, net))
    with torch.no_grad():
        step = net["unet"].conv_out.bias - 0.01 * net["unet"].conv_out.bias.grad
    close(step, case["out.after_sgd_lr0.01.out.2.bias"])
    with torch.no_grad():
        x = lesson.noisy(draw, lesson.clean(draw))
        hold_terms(case, lesson, draw, lesson.ask(x, draw.t, conditions(draw.row, draw.drop)))


@check("i3")
def losses_of_20(case: Case) -> None:
    net = whole(kandinsky(case)).requires_grad_(False)
    conditions = told(*(case[f"in.{n}"] for n in ("full_emb1", "pooled_emb1", "full_emb2")))
    schedule, x0, noise = Schedule(SCHEDULE_20), case["in.x_start"], case["in.noise"]
    lesson = DecoderLesson(net, schedule, [conditions], x0, variance=True)
    draw = drawn(case["in.t"], noise)
    close(lesson(draw), case["out.loss"], rtol=1e-4, atol=1e-6)
    values = conditions(draw.row, draw.drop)
    hold_terms(case, lesson, draw, lesson.ask(schedule.noised(x0, noise, draw.t), draw.t, values))
    kept = torch.tensor(sorted(int(step.t) for step in schedule.steps(10, "linspace")[:-1]))
    place = case["in.t_respaced10"]
    answer = lesson.ask(schedule.noised(x0, noise, kept[place]), kept[place], values)
    error = simple_loss(answer, noise)
    bound = variance_loss(Posterior(schedule.alpha_bar[kept]), answer, x0, noise, place)
    close(error, case["out.respaced10.mse"], **LOSS)
    close(bound, case["out.respaced10.vb"], rtol=1e-4, atol=1e-6)
    close(error + bound, case["out.respaced10.loss"], rtol=1e-4, atol=1e-6)


@check("i4")
def prior_step(case: Case) -> None:
    weights = {k: v for k, v in case.weights.items() if not k.startswith("clip.")}
    net = prior_of(case, weights).requires_grad_(True)
    net.mean.requires_grad_(False)
    net.std.requires_grad_(False)
    x0 = net.normalise(case["in.clip_image_features"])
    if (x0 - case["out.x_start"]).abs().max() > 1e-3:
        pytest.skip("the case does not hold the features its own x_start was made from")
    names = ("text_enc", "text_emb", "mask")
    conditions = told(*(case[f"in.{name}"] for name in names))
    lesson = PriorLesson(net, Schedule(PRIOR_SCHEDULE), [conditions], x0)
    losses = lesson(drawn(case["in.t"], case["in.noise"]))
    close(losses.detach(), case["out.loss"], **LOSS)
    losses.mean().backward()
    config = infer.prior(shapes(weights))
    config = replace(config, heads=net.config.heads, head_dim=net.config.head_dim)
    hold_gradients(case, net, originals.prior(config))


@check("i5")
def moving_average(case: Case) -> None:
    for name in ("w", "b"):
        slow = case[f"in.{name}0"].clone()
        for update in range(1, 5):
            follow(slow, case[f"in.{name}{update}"], 0.9, update)
            close(slow, case[f"out.ema_{name}{update}"], rtol=1e-6, atol=1e-7)


@check("i6")
def frozen_parameters(case: Case) -> None:
    """What the original's two switches freeze of a tiny 2.1 decoder."""
    from tests.goldens.check_nets import Case as Other

    weights = {}
    for part in ("1of2", "2of2"):
        weights |= Other(case.path).only(f"w_unet21-{part}.safetensors")
    for said, names in case.table.items():
        switches = [name for name in ("resblocks", "attention") if f"{name}=True" in said]
        net = whole(decoder(weights, head_dim=16))
        keymap = maps(case, net)
        wanted = set()
        for name in names:
            found = keymap.ours(name)
            assert found is not None, name
            wanted |= set(found[0])
        assert frozen(net, switches) == wanted, said
