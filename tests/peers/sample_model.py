#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The sample's model in current Transformers: it loads without a warning, its tokenizer gives our
ids, and PyTorch in double precision gives our logits, gradients, training steps and greedy text.

Reads build/quickstart/model (made by `./quickstart build/quickstart`), writes a golden case in the
layout of the golden driver, and runs build/release/bin/golden on it."""
import json
import logging
import os
import pathlib
import shutil
import subprocess
import sys
import warnings

root = pathlib.Path(os.environ["COLOPHON_ROOT"])
model_dir = root / "build" / "quickstart" / "model"
if not (model_dir / "colophon.json").exists():
    print("build/quickstart/model is absent: run ./quickstart build/quickstart")
    sys.exit(77)

import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

torch.set_num_threads(1)
heard = []


class Hear(logging.Handler):
    def emit(self, record):
        heard.append(record.getMessage())


transformers.utils.logging.set_verbosity_warning()
transformers.utils.logging.get_logger("transformers").addHandler(Hear())
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    tokenizer = transformers.AutoTokenizer.from_pretrained(model_dir)
    model, info = transformers.AutoModelForCausalLM.from_pretrained(model_dir, output_loading_info=True,
                                                                    attn_implementation="eager")
heard += [str(w.message) for w in caught if "colophon" in str(w.message).lower() or "transformers" in str(w.filename)]
assert not heard, f"Transformers warns: {heard}"
assert not any(info.get(k) for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), info

# ---- the tokenizer ----
texts = ["Det var en gang en fyrvokter.", "  to  blanke\tog tabulator  ", "Ærø Åse 1923 – «sitat» 😀", "x",
         "The keeper wrote <|endoftext|> and slept.", "naïve café e\u0301", "'s 't ELLE'S 12345 \u00a0 \u2003x"]
ours = subprocess.run([root / "build/release/bin/colophon", "tokenizer", "encode", model_dir, "--specials", "--json"],
                      input="\n".join(texts), capture_output=True, text=True, check=True).stdout
for text, line in zip(texts, json.loads(ours), strict=True):
    theirs = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert line["ids"] == theirs, (text, line["ids"], theirs)
    assert tokenizer.decode(theirs) == text, (text, tokenizer.decode(theirs))

# ---- the arithmetic: a golden case of the sample's own model ----
case = root / "build" / "peers" / "cases" / "sample"
case.mkdir(parents=True, exist_ok=True)
target = case / "model"
shutil.rmtree(target, ignore_errors=True)
target.mkdir()
shutil.copy(model_dir / "model.safetensors", target)
plain = json.loads((model_dir / "config.json").read_text())
plain.update(resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)  # two generators never draw the same dropout
(target / "config.json").write_text(json.dumps(plain, indent=2, sort_keys=True) + "\n")
torch.manual_seed(7)
config = model.config
B, T = 2, min(48, config.n_positions)
ids = torch.randint(0, config.vocab_size, (B, T))
labels = ids.clone()
labels[1, -5:] = -100
save_file({"input_ids": ids, "labels": labels}, case / "inputs.safetensors")


def forward(m):
    out = m(input_ids=ids, labels=labels, output_hidden_states=True)
    tensors = {"loss": out.loss, "logits": out.logits}
    tensors.update({f"hidden_states.{i}": h for i, h in enumerate(out.hidden_states)})
    return out.loss, {k: v.detach().double() for k, v in tensors.items()}


def run(dtype):
    m = transformers.AutoModelForCausalLM.from_pretrained(model_dir, attn_implementation="eager", dtype=dtype)
    m.train(False)
    loss, outputs = forward(m)
    loss.backward()
    grads = {n: p.grad.detach().double().clone() for n, p in m.named_parameters()}
    decay = [p for p in m.parameters() if p.dim() >= 2]
    plain = [p for p in m.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": plain, "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.95), eps=1e-8)
    steps = []
    for k in range(10):
        lr = 1e-3 * min(1, (k + 1) / 3)
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.zero_grad()
        loss, _ = forward(m)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(m.parameters(), 1.0)
        optimizer.step()
        steps.append({"step": k, "lr": lr, "loss": float(loss), "grad_norm": float(norm)})
    after = {n: p.detach().double().clone() for n, p in m.named_parameters()}
    return outputs, grads, steps, after


def floats(tensors):
    return {k: v.float().contiguous() for k, v in tensors.items()}


def worst(a, b):
    top = max(float(v.abs().max()) for v in b.values())
    return max(float((a[k] - b[k]).abs().max()) / max(float(b[k].abs().max()), 1e-3 * top) for k in b)


exact, single = run(torch.float64), run(torch.float32)
save_file(floats(exact[0]), case / "outputs.safetensors")
save_file(floats(exact[1]), case / "grads.safetensors")
save_file(floats(exact[3]), case / "after10.safetensors")
(case / "train10.json").write_text(json.dumps(exact[2]))
losses = [s["loss"] for s in exact[2]]
tolerance = {
    "outputs": max(8 * worst(single[0], exact[0]), 1e-6),
    "grads": max(8 * worst(single[1], exact[1]), 1e-6),
    "after10": max(8 * worst(single[3], exact[3]), 1e-6),
    "train10_loss": max(8 * max(abs(s["loss"] - l) for s, l in zip(single[2], losses)) / max(losses), 1e-6)}
(case.parent / "manifest.json").write_text(json.dumps({"cases": {"sample": {
    "cls": "GPT2LMHeadModel", "tolerance_fp32_rel_to_max": tolerance}}}))
m64 = transformers.AutoModelForCausalLM.from_pretrained(model_dir, attn_implementation="eager", dtype=torch.float64)
prompt = ids[:1, :10]
made = m64.generate(prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=20, min_new_tokens=20, do_sample=False,
                    pad_token_id=0)
(case / "generate.json").write_text(json.dumps({
    "prompt": prompt.tolist(), "attention_mask": [[1] * 10], "max_new_tokens": 20, "min_new_tokens": 20,
    "greedy": made.tolist()}))
done = subprocess.run([root / "build/release/bin/golden", case], capture_output=True, text=True)
print(done.stdout, done.stderr)
sys.exit(done.returncode)
