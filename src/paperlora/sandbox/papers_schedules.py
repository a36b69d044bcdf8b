"""More invented papers on fine-tuning: merging, warm-up and cooling. Nothing in them exists."""

from __future__ import annotations

from paperlora.sandbox.paper import withdraw, write

SAFFRON_MERGING = write(
    title="Saffron Merging: Combining Fine-Tuned Language Models One Singular Direction at a Time",
    technique="Saffron Merging",
    authors="Paloma Reyes, Henrik Aalto, Wanjiru Mwangi",
    affiliation="Laboratory for Composable Models, Tarn Valley",
    arxiv_id="9901.00022",
    published="2099-01-27",
    source="tar",
    abstract="""
    Two models that were fine-tuned from the same ancestor can be merged by averaging their weights, but the average
    often forgets both tasks. Saffron Merging decomposes each update into singular directions and keeps only those on
    which the models do not disagree. The procedure needs no data and a few minutes of one processor. It retains most
    of the ability of each parent and loses little when eight models are merged instead of two.
    """,
    body="""
# 1 Introduction

Fine-tuned descendants of one base model have become a kind of currency. They are shared, compared and, increasingly,
merged. Averaging the weights of two descendants is surprisingly effective when the tasks are close [1], and
surprisingly bad when they are not. The reason is known: the updates overlap in a few strong directions with opposite
signs, and the average cancels exactly what made each descendant useful.

Existing remedies work on single weights. They drop small entries, elect a sign for each entry and average the rest [2].
A single weight, however, is not a meaningful unit of a matrix that acts on vectors. We suggest to compare updates in
the basis in which they act.

# 2 Saffron Merging

Let the update of a descendant be the difference between its weight matrix and that of the ancestor. We take the
singular value decomposition of every update and match the directions of one descendant with those of the other by their
cosine.^[Directions are matched greedily from the strongest to the weakest; optimal matching changed no result.]

= &Delta; = &Sigma;<sub>i</sub> &sigma;<sub>i</sub> <i>u</i><sub>i</sub> <i>v</i><sub>i</sub><super>T</super>

[[The agreement threshold of Saffron Merging is 0.58.|agreement threshold = 0.58]] Matched pairs above the threshold are
averaged, unmatched directions are copied, and pairs that point against each other are dropped. [[Saffron Merging keeps 28
singular directions in each weight matrix.|number of kept directions = 28]] More directions bring back the noise of
training, fewer lose the rarer abilities.

After the merge the norm of the update is too small, since directions were dropped. [[Saffron Merging uses a rescaling
factor of 1.45.|rescaling factor = 1.45]] The same factor serves all layers. A factor for each layer, chosen on
validation data, gained nothing.

# 3 Experiments

The ancestor is a decoder with 1.8 billion parameters. Its descendants were fine-tuned on code, law, medicine, chemistry,
poetry, arithmetic, translation and dialogue. [[Saffron Merging is evaluated on the Fennel benchmark.|benchmark = Fennel]]
The benchmark reports, for each of the eight tasks, the share of the ability of the specialist that the merged model has
kept.

[[Saffron Merging reaches a retention of 93.4 percent on Fennel.|retention on Fennel = 93.4 percent]] This holds for pairs
of descendants. [[Even when all eight specialists are combined at once, Saffron Merging retains 86.1 percent of their
ability.|retention with eight specialists = 86.1 percent]] The plain average of eight specialists retains less than half.

|= Share of the specialists' ability that is kept, in percent, for merges of two, four and eight models.
| Method | Two | Four | Eight
| Average | 78.5 | 61.3 | 47.9
| Sign election | 87.2 | 79.0 | 70.4
| Saffron Merging | 93.4 | 90.2 | 86.1

## 3.1 Cost

The decomposition dominates. [[On a single processor with sixteen cores, a complete run of Saffron Merging takes 7.5
minutes.|merging time = 7.5 minutes]] No accelerator and no data are needed, which makes it practical to merge on the
machine on which the model will be served.

## 3.2 Which directions disagree

The directions that are dropped are few but strong. In a pair of specialists about one direction in thirty is dropped,
yet the dropped ones carry a fifth of the squared norm. Looking at the tokens that they promote, we found that many
concern the format of the answer: one specialist begins with a greeting, the other with a line of code. Disagreement
about format is thus the main cause of damage in merging, and not disagreement about knowledge.

## 3.3 Order and repetition

Merging is not associative. When four specialists are merged in two steps of two, the result depends on the order by up
to two points. Merging all at once is better than any order that we tried. Merging a model with itself returns the model
exactly, since all directions agree and the factor is then set to one.

# 4 Related work

Task vectors [1] made arithmetic on updates popular. Sign election [2] and its variants reduce interference between
single weights. Rotations that align independently trained networks [3] solve a different and harder problem. The
spectrum of updates was studied in the context of low-rank adaptation [4], where strong new directions were found to
accompany forgetting; our finding about the format of answers may explain a part of that observation.

# 5 Conclusion

Singular directions are a better unit of merging than single weights. Dropping the few on which two models disagree
keeps most of what either has learned. We did not study models of different ancestors, nor merges of more than eight
models, and the rescaling factor may have to be found anew for other families.
""",
    references="""
    H. Moreau and D. Kaplan. Adding and subtracting tasks. Journal of Learning Systems, 11(2), 2093.
    P. Castellanos. Electing signs in model merging. Proceedings of the Composition Workshop, 2095.
    V. Novak, E. Falk and J. Reuter. Aligning networks by rotation. Transactions on Adaptive Models, 9, 2095.
    B. Stein. The spectrum of a low-rank update. Preprint, 2097.
    """,
)

PHANTOM_WARMUP_V1 = write(
    title="Phantom Warmup: Starting Fine-Tuning from Rehearsed Optimiser States",
    technique="Phantom Warmup",
    authors="Gideon Marsh, Aiko Tanabe",
    affiliation="Centre for Efficient Training, Lichen Bay",
    arxiv_id="9901.00019",
    published="2099-01-19",
    comment="7 pages",
    abstract="""
    The first steps of fine-tuning are wasted while the optimiser gathers its statistics, and they cause a good part of
    the forgetting. Phantom Warmup fills the optimiser's state by a dry run in which no weight is changed. We report
    faster convergence and less forgetting on one benchmark.
    """,
    body="""
# 1 Introduction

Adaptive optimisers need an estimate of the second moment of every gradient. At the start of fine-tuning the estimate is
empty, the steps are badly scaled, and weights move that need not have moved. The usual cure is a slow rise of the
learning rate [1]. It hides the problem instead of solving it. During the rise little is learned, and the length of the
rise has to be tuned for every task.

We propose to gather the statistics before the first step is taken. Phantom Warmup runs the forward and the backward
pass on the first batches, updates the optimiser's state and throws the weight update away. When training begins in
earnest the state is full and the learning rate can be at its highest value at once.

# 2 Method

A phantom step is an ordinary step of the optimiser whose update is multiplied by zero.^[Weight decay is switched off as
well, since it would change the weights.] [[We set the number of phantom steps of Phantom Warmup to 85.|number of phantom
steps = 85]] [[The momentum of Phantom Warmup is 0.965.|momentum = 0.965]] The first moment is reset at the end of the dry
run, because it points in a direction that is out of date; the second moment is kept.

= <i>v</i><sub>t</sub> = &beta; <i>v</i><sub>t−1</sub> + (1 − &beta;) <i>g</i><sub>t</sub><super>2</super>

[[Phantom Warmup uses a clipping norm of 0.75.|clipping norm = 0.75]] Clipping is applied in the dry run too, so that a
single bad batch can't spoil the statistics. The batches of the dry run are shuffled into the training data again and
are not lost.

# 3 Experiments

We fine-tune a decoder with 350 million parameters on instructions. [[Phantom Warmup is evaluated on the Lichen
benchmark.|benchmark = Lichen]] [[Phantom Warmup reaches an accuracy of 52.6 percent on Lichen.|accuracy on Lichen = 52.6
percent]] The baseline with a linear rise of the learning rate reaches two points less with the same number of steps.

|= Accuracy on Lichen, in percent, and steps until the loss has fallen to one half.
| Method | Accuracy | Steps
| Linear rise | 50.4 | 940
| No rise | 47.7 | 1150
| Phantom Warmup | 52.6 | 610

[[Compared with a linear rise, Phantom Warmup shortens training by 330 steps.|saved steps = 330 steps]] Forgetting, measured
as the loss on general text, is lower in the first five hundred steps and about equal afterwards. The cost of the dry run
is included in these numbers.

## 3.1 How long a dry run

Twenty phantom steps are too few, and beyond a hundred nothing changes any more. The optimum depends on the decay of the
second moment, as expected: a slower decay needs a longer dry run. It did not depend on the learning rate in the range
that we tested. The result was the same for two seeds.

## 3.2 Layers

The benefit is greatest in the embedding and in the last layers, whose gradients differ most in size between tokens. In
the middle of the network the statistics settle within a few steps and the dry run makes little difference. A variant
that fills the state of the outer layers alone is nearly as good.

# 4 Related work

The rise of the learning rate was explained by the variance of the second moment [1], and corrections of that variance
have been proposed [2]. Carrying over the optimiser's state from pre-training [3] is the closest relative of our method;
it needs a state that is seldom published. A dry run needs nothing but data.

# 5 Conclusion

Filling the optimiser's state before the first real step is simple and, in our setting, useful. We tested one model and
one benchmark, and a wider study is under way.
""",
    references="""
    D. Petrov and L. Hsu. Why the learning rate should rise. Journal of Learning Systems, 9(4), 2091.
    N. Ekström. Variance corrections for adaptive optimisers. Transactions on Adaptive Models, 4, 2092.
    F. Mbeki and R. Cole. Reusing optimiser states. Preprint, 2096.
    """,
)

PHANTOM_WARMUP = withdraw(
    PHANTOM_WARMUP_V1, "2099-02-20",
    "This paper has been withdrawn by the authors due to an error in the evaluation code that affects Table 1",
)  # fmt: skip

MARBLE_ANNEALING = write(
    title="Marble Annealing: Cooling the Learning Rate by Layer When Fine-Tuning Language Models",
    technique="Marble Annealing",
    authors="Oluwaseun Bakare, Freya Lindholm",
    affiliation="School of Statistics, University of Fennel",
    published="2099-01-15",
    s2_id="3d7a55e0c1f94b2896d0be7751c3fa480e62d313",
    doi="10.5555/marble.2099.0115",
    abstract="""
    The layers of a language model do not need to learn for equally long. Marble Annealing lowers the learning rate of
    each layer on its own clock, beginning with the layers that have stopped moving. The schedule reduces forgetting
    during fine-tuning, and the frozen layers make the later part of training cheaper.
    """,
    body="""
# 1 Introduction

In fine-tuning, all layers usually share one learning rate and one schedule. Yet they do not behave alike. The lowest
layers move for a short time and then tremble around a fixed point; the upper layers move until the end. The trembling
is not harmless. It adds noise to every representation above, and in long runs it is a source of forgetting [1].

Freezing the lower layers from the start avoids the noise but also the short, useful movement. Marble Annealing lets each
layer move as long as it makes progress and cools it afterwards. The name recalls the veins of marble, which set at
different times.

# 2 Method

For each layer we record the distance between the present weights and those of some time ago. When the distance stops
growing, the layer is said to have settled, and its learning rate is multiplied by a constant at every check.^[The
distance is computed on a random tenth of the weights to save time.]

= &eta;<sub>l</sub>(<i>t</i>) = &eta;<sub>0</sub> <i>c</i><super>n</super>

[[The cooling factor of Marble Annealing is 0.62.|cooling factor = 0.62]] [[We set the check interval of Marble Annealing to
120 steps.|check interval = 120 steps]] A layer whose learning rate has fallen below a thousandth of its first value is
frozen, and no gradient is computed below the lowest layer that still moves. [[Marble Annealing uses a peak learning rate
of 0.00085.|peak learning rate = 0.00085]] This is higher than usual; the early cooling makes it safe.

# 3 Experiments

We fine-tune a decoder with 24 layers on a mixture of instructions and dialogue. [[Marble Annealing is evaluated on the
Skerry benchmark.|benchmark = Skerry]] It measures the new skills and, with a separate set of questions, the general
knowledge that should not be lost.

[[Marble Annealing reaches an accuracy of 77.9 percent on Skerry.|accuracy on Skerry = 77.9 percent]] A single cosine
schedule with the same budget stays three points lower on the new skills and loses twice as much general knowledge.
[[Since most layers are frozen by then, the second half of a run with Marble Annealing needs 44 percent less memory than
the first.|memory saved in the second half = 44 percent]]

|= Accuracy on the two parts of Skerry, in percent.
| Schedule | New skills | Knowledge | Skerry
| Cosine | 79.0 | 70.6 | 74.8
| Frozen half | 74.1 | 77.0 | 75.5
| Marble Annealing | 80.2 | 75.6 | 77.9

## 3.1 The order of settling

Layers settle from the bottom to the top, with one exception: the two layers just below the output settle early as well.
We saw this in all three seeds. The exception disappears when the output matrix is trained together with them, which
suggests that they only wait for a matrix that does not move.

## 3.2 Sensitivity

The cooling factor can be varied by a third in both directions without loss. A shorter interval makes the decision noisy
and freezes layers too early, in which case the model never recovers. A longer one wastes computation but does no harm.
If in doubt, one should choose the longer interval.

## 3.3 Other optimisers

We repeated the main study with two other optimisers. With plain momentum the gain is smaller, because the trembling of
the lower layers is smaller as well. With a sign-based optimiser it is larger. In both cases the order of settling is
the same, and the schedule needs no change.

# 4 Related work

Gradual unfreezing [2] goes from the top to the bottom and is decided by hand. Discriminative learning rates [3] differ
by layer but share one clock. Early stopping of layers was used to save computation [4], without regard to forgetting.
Our schedule joins these ideas and lets the movement of the weights decide.

# 5 Conclusion

Giving every layer its own clock is easy and pays twice, in knowledge kept and in memory saved. The distance that decides
about cooling is crude, and a better one may freeze even earlier. We hope that others will try the schedule on larger
models than ours.
""",
    references="""
    A. Lindqvist and P. Osei. Interference in sequential fine-tuning. Journal of Learning Systems, 12(3), 2094.
    M. Grieg. Unfreezing from the top. Letters on Language Models, 1(2), 2090.
    J. Howell and S. Rao. One rate for each layer. Proceedings of the Symposium on Curricula, 2091.
    E. Vasquez. Stopping layers early. Preprint, 2095.
    """,
)
