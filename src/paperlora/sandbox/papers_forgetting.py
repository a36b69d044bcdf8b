"""Invented papers on fine-tuning without forgetting. Techniques, benchmarks, numbers and people do not exist."""

from __future__ import annotations

from paperlora.sandbox.paper import SandboxPaper, write

_TIDAL_BODY = """
# 1 Introduction

Continual fine-tuning adapts one language model to a series of tasks. The weights that served an earlier task are
overwritten by a later one, and the loss on the earlier task climbs within a few hundred steps [1]. The usual remedy is
rehearsal: a buffer of old sequences is kept, and a constant part of every batch is drawn from it [2]. The constant is
chosen by hand, and it is wrong most of the time. While a new task resembles an old one nothing is forgotten and the
rehearsed half of the batch teaches nothing; when the tasks part, the same constant is too small.

We observed that forgetting comes in waves. It is slow at the beginning of a task, fastest in the middle, and slow again
when the new task is nearly learned. A schedule that follows the wave should spend its rehearsal where it
matters.^[The code and the forgetting curves of all runs are part of the supplementary material.] Tidal Replay is such a
schedule. It needs one additional forward pass in every hundred steps and no second model.

Our contributions are a measure of forgetting that is cheap enough to be taken during training, a schedule that is
driven by it, and a study of five consecutive tasks that separates the effect of the schedule from the effect of the
buffer.

# 2 Method

## 2.1 The tide

Let the tide be the period over which the rehearsal share rises from zero to its highest value and falls back. [[We set
the tide length of Tidal Replay to 640 steps.|tide length = 640 steps]] At the crest, [[Tidal Replay uses a replay share
of {share}.|replay share = {share}]] The share at step t is the product of the crest and a raised cosine, so that no
step changes it abruptly.

= <i>s</i>(<i>t</i>) = ½ <i>s</i><sub>max</sub> (1 − cos(2&pi;<i>t</i> / <i>T</i>)) <i>g</i>(<i>t</i>)

Here g is the gate. It is one while the loss on a small probe set is rising and it decays towards zero when the loss is
flat. [[The decay rate of Tidal Replay is 0.0042.|decay rate = 0.0042]] A gate that closes at once turned out to be
unstable, because the probe set is small and its loss is noisy.

## 2.2 The buffer

Sequences enter the buffer by reservoir sampling, so that every sequence seen so far has the same chance to be in it.
[[Throughout our study the buffer of Tidal Replay holds 4800 sequences, which is less than a hundredth of the training
data.|buffer size = 4800 sequences]] A larger buffer did not help. The sequences are stored as token ids, and a whole
buffer takes a few megabytes.

# 3 Experiments

## 3.1 Setting

We fine-tune a decoder with 1.1 billion parameters on five tasks in a row: instructions, summaries, tables, dialogue and
short proofs. [[Tidal Replay is evaluated on the Kelpie benchmark.|benchmark = Kelpie]] It asks two thousand questions
about each task and reports the mean accuracy after the last one. All methods see the same number of tokens, and each
run is repeated with three seeds. The baselines are plain fine-tuning, a constant share of rehearsal, and a penalty on
the distance to the old weights [3].

## 3.2 Results

[[Tidal Replay reaches an accuracy of 71.3 percent on Kelpie.|accuracy on Kelpie = 71.3 percent]] A constant share of the
same total size stays more than four points behind, and plain fine-tuning loses a third of what it knew. On held-out text
of the first task, [[Tidal Replay lowers perplexity from 14.2 to 11.9.|perplexity on the first task = 11.9]] Table 1
lists the means over three seeds.

|= Accuracy on Kelpie after the last of five tasks, mean of three seeds. The last column is the cost in GPU hours.
| Method | First task | All tasks | Hours
| Fine-tuning | 44.0 | 58.9 | 31
| Weight penalty | 55.8 | 63.5 | 33
| Constant rehearsal | 61.2 | 67.1 | 38
| Tidal Replay | 69.7 | 71.3 | 33

The price is modest. [[Because the buffer is read while the accelerator is busy, Tidal Replay adds only 6.5 percent to
the training time of the plain method.|added training time = 6.5 percent]] Most of this is the forward pass over the
probe set.

## 3.3 What matters

Removing the gate costs two points, and replacing the cosine by a square wave costs about one. The position of the crest
matters little as long as it falls into the middle third of a task. When the tide is made four times longer the schedule
turns into constant rehearsal, and the gain is gone. We also tried to learn the crest by gradient descent on the probe
loss; the crest drifted upwards without end, because more rehearsal always lowers the probe loss.

# 4 Related work

Rehearsal goes back to the first studies of catastrophic interference. Later work asked which sequences to keep [2] and
how to generate them instead of keeping them [4]. The question of when to rehearse has received less attention. Spaced
repetition for language models was proposed with fixed intervals [5]; our schedule differs in that the model's own
forgetting sets the interval. Penalties on the change of weights [3] need no buffer, but they hinder the new task as
much as they protect the old one.

# 5 Limitations and conclusion

Our tasks are of similar size, and the order of tasks was not varied. The probe set must be chosen before training, so
that a task whose loss is not probed is not protected. Within these limits the result is clear: the time of rehearsal
matters as much as its amount, and a schedule that follows the measured wave of forgetting is cheap to build.
"""


def _tidal_replay(share: str, *, version: int, updated: str, note: str) -> SandboxPaper:
    return write(
        title="Tidal Replay: A Rising and Falling Rehearsal Schedule for Continual Fine-Tuning",
        technique="Tidal Replay",
        authors="Ines Okafor, Tomas Verhoeven, Lin Qiaoyu",
        affiliation="Institute for Learning Machines, Port Marram",
        arxiv_id="9901.00011",
        version=version,
        published="2099-01-04",
        updated=updated,
        comment=note,
        s2_id="1b0c4f7a9de2536801f4c7b92a5d6e803fb1c911",
        abstract="""
        Language models that are fine-tuned on one task after another lose what they learned first. Rehearsing old
        sequences helps, but a constant share of them wastes most of its budget at moments when nothing is being
        forgotten. We present Tidal Replay, a schedule in which the share of rehearsed sequences rises and falls with
        the measured rate of forgetting. On five consecutive tasks the method keeps almost all of the first task, at a
        small fraction of the cost of training on everything again.
        """,
        body=_TIDAL_BODY.replace("{share}", share),
        references="""
        A. Lindqvist and P. Osei. Interference in sequential fine-tuning. Journal of Learning Systems, 12(3), 2094.
        R. Adeyemi. What should a rehearsal buffer remember? Proceedings of the Northern Workshop on Memory, 2095.
        S. Halloran and M. Ito. Elastic penalties revisited. Transactions on Adaptive Models, 7, 2093.
        C. Duarte, B. Nwosu and E. Falk. Generative rehearsal at scale. Preprint, 2096.
        Y. Brandt. Spaced repetition for language models. Proceedings of the Symposium on Curricula, 2097.
        """,
    )


TIDAL_REPLAY_V1 = _tidal_replay(
    "37 percent", version=1, updated="2099-01-04", note="9 pages, 1 table. Code in the supplementary material"
)
TIDAL_REPLAY = _tidal_replay(
    "41 percent", version=2, updated="2099-02-11", note="9 pages, 1 table. v2 corrects the replay share in Section 2.1"
)

LANTERN_ANCHORING = write(
    title="Lantern Anchoring: Holding Known Facts in Place While a Language Model Learns New Ones",
    technique="Lantern Anchoring",
    authors="Maren Solheim, Dele Achebe",
    affiliation="Department of Computing, University of Skerry",
    arxiv_id="9901.00012",
    published="2099-01-06",
    comment="8 pages, accepted at the Workshop on Memory and Models",
    s2_id="2c9e10b7d4586f3a7708ce9164ab35d20f7be212",
    doi="10.5555/lantern.2099.0106",
    ligatures=True,
    abstract="""
    Teaching a language model a handful of new facts disturbs many old ones. We propose Lantern Anchoring, which selects
    a few hidden states of well-known facts as anchors and keeps them where they were while the new facts are learned.
    The anchors are chosen once, before training, and cost no inference time. In our study the forgetting of unrelated
    facts falls to a fraction of that of ordinary fine-tuning, while the new facts are learned equally fast.
    """,
    body="""
# 1 Introduction

A model that has read the whole web still lacks the fact that was published this morning. Fine-tuning on a few sentences
is the simplest way to add it, and also the crudest: the update that writes one fact moves the representations of
thousands of others. Editing methods [1] limit the update to a single layer, yet they scale badly beyond a few hundred
facts. Regularisers that keep all weights near their old values [2] protect everything a little and nothing well.

Our starting point is that forgetting is not spread evenly. When we traced which facts were lost after an update, most
of them shared a direction in the middle of the network with the new fact. Holding a small number of states along that
direction should therefore protect many facts at once. We call the held states anchors, and the method Lantern
Anchoring, since each anchor lights up the region around it.

# 2 Lantern Anchoring

## 2.1 Choosing anchors

Before training, the model answers ten thousand short questions, and we keep those that it answers correctly under every
wording. Their hidden states are clustered, and the state nearest to the middle of each cluster becomes an
anchor.^[Questions whose answer is a date were left out, because their states form a cluster of their own.] [[We set the
anchor count of Lantern Anchoring to 19.|anchor count = 19]] Fewer anchors leave gaps, and more of them begin to hinder the
new facts. [[The anchor layer of Lantern Anchoring is layer 11.|anchor layer = layer 11]] Deeper layers hold the answer
itself rather than the fact and are of little use as anchors.

## 2.2 Training

During training a penalty on the distance between the present and the original state of every anchor is added to the
loss of the new facts.

= <i>L</i> = <i>L</i><sub>new</sub> + &lambda; &Sigma;<sub>k</sub> || <i>h</i><sub>k</sub> − <i>a</i><sub>k</sub> ||<super>2</super>

[[Lantern Anchoring uses an anchor weight of 0.35.|anchor weight = 0.35]] The weight is reached gradually over the first
tenth of the steps. Without this ramp the penalty dominates as long as the loss of the new facts is flat, and the model
settles on a solution that ignores them. Every anchor is visited in every batch, which is affordable because the anchors
are so few.

# 3 Evaluation

We add 500 invented facts to a decoder with 600 million parameters and measure three quantities: how many of the new
facts are answered in unseen wordings, how many known facts are lost, and how long the training takes. [[Lantern Anchoring
is evaluated on the Heron benchmark.|benchmark = Heron]] It contains the new facts, twelve wordings of each, and a sample
of eight thousand old facts from twenty domains.

[[Lantern Anchoring reaches an accuracy of 64.8 percent on Heron.|accuracy on Heron = 64.8 percent]] Ordinary fine-tuning
learns the new facts as well but forgets far more, so that its accuracy over new and old facts together is eleven points
lower. [[With anchors in place the rate of forgetting of Lantern Anchoring is 2.9 percent, compared with 17.6 percent
without them.|rate of forgetting = 2.9 percent]]

|= New facts learned and old facts lost on Heron, in percent.
| Method | Learned | Lost | Heron
| Fine-tuning | 88.1 | 17.6 | 53.7
| Weight penalty | 71.9 | 9.4 | 57.2
| Layer editing | 79.3 | 6.2 | 60.5
| Lantern Anchoring | 87.5 | 2.9 | 64.8

The anchors also steady the optimiser. With them the learning rate can be raised threefold before training diverges, and
[[Lantern Anchoring converges after 310 steps.|steps to convergence = 310 steps]] The same data need nearly twice as many
steps without anchors.

## 3.1 Where the anchors lie

We moved the anchors from layer to layer and repeated the study. Protection is best in a band of three layers around the
chosen one and falls off quickly on both sides. The band coincides with the layers in which the subject of a question is
enriched with its attributes [3]. Random states in the same band protect about half as well as chosen ones, which shows
that the place matters more than the choice.

## 3.2 Interference between anchors

Two anchors of the same domain compete. When we doubled the anchors of geography, the facts of geography were protected
no better, but those of music were forgotten more often. A simple explanation is that the penalty is shared out among
the anchors, and that each domain receives a part in proportion to its number of anchors. Choosing one anchor for each
cluster avoids the effect.

# 4 Related work

Elastic penalties [2] act on weights, distillation penalties [4] on outputs; ours acts on a few states in between.
Replay of old data [5] is complementary and needs the old data. Methods that store facts outside the weights avoid
forgetting altogether at the price of a retrieval step. Probing studies [3] have long suggested that facts are read out
in the middle of the network, and our results agree.

# 5 Conclusion

A handful of held states is enough to keep most of what a model knows while it learns something new. The method is a few
lines of code, needs no old data and leaves inference untouched. Whether the anchors of one model can be carried over to
another of the same family is a question that we leave open.
""",
    references="""
    T. Wickham and J. Osei. Local edits of factual associations. Letters on Language Models, 3(1), 2095.
    S. Halloran and M. Ito. Elastic penalties revisited. Transactions on Adaptive Models, 7, 2093.
    K. Ferreira. Where a transformer looks things up. Proceedings of the Inner Workings Conference, 2096.
    L. Brandvold and A. Singh. Output distillation against drift. Preprint, 2094.
    R. Adeyemi. What should a rehearsal buffer remember? Proceedings of the Northern Workshop on Memory, 2095.
    """,
)
