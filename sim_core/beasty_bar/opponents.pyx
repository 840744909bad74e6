"""The built-in opponents: each plays every legal action on a copy and takes the best score (docs/opponents.md).

To add one, write its score, add a row to the table at the end, and say in docs/opponents.md and
tests/reference/opponents.py what it does. Names, numbers, counts and the pages' table follow from the row. Cards that
stay in the own hand must add the same to each score, as hands.pyx takes for granted.
"""
from libc.stdint cimport int16_t
from libc.string cimport memset

from collections import namedtuple

from sim_core.rng cimport Stream, next_below, next_normal
from sim_core.beasty_bar.rules cimport (
    ACTION_PARTS, ActionParts, BeastyState, CHAMELEON, CROCODILE, GIRAFFE, HIPPO, KANGAROO, LION, MASK_COUNT,
    MASK_POINTS, MAX_LEGAL, MONKEY, NO_SPECIES, NUM_ACTIONS, NUM_SPECIES, PARROT, POINTS, SEAL, SKUNK, SNAKE, ZEBRA,
    legal_actions, owner_of, resolve_turn, species_of,
)

cdef enum:
    MAX_OPPONENTS = 64      # room for them in the table of their functions
    THREATS = (1 << CROCODILE) | (1 << HIPPO) | (1 << LION) | (1 << ZEBRA) | (1 << GIRAFFE)
    RECURRING = (1 << HIPPO) | (1 << CROCODILE) | (1 << GIRAFFE)
    BULLIES = (1 << HIPPO) | (1 << CROCODILE)


cdef struct OutcomeWeights:
    # docs/opponents.md says what each weighs
    double mybar, oppbar, myout, oppout, q, front, threat, parrot, monkey, skunk, early, late

cdef OutcomeWeights OUTCOME_WEIGHTS = OutcomeWeights(3.0, -2.0, -2.5, 2.0, 1.5, 2.0, 1.5, 0.4, 15.0, 0.5, 0.5, 0.3)
cdef OutcomeWeights DISTILLED_WEIGHTS = OutcomeWeights(4.2, -2.5, -3.5, 2.8, 1.8, 2.5, 2.2, 0.6, 18.0, 0.7, 0.6, 0.4)
cdef double[5] PLACE_WEIGHTS = [0.53, 0.37, 0.25, 0.27, 0.10]


cdef struct Turn:
    # A turn played on a copy of the position, as the player sees it who played it.
    const BeastyState *before
    const BeastyState *after    # without the card that is drawn at the end of the turn
    int player                  # who played it
    int other                   # the opponent
    int action                  # its id
    int card                    # species played
    int target                  # card that a played parrot sends away; -1: none
    int target_place            # its place in line
    int my_lost                 # own points that went to THAT'S IT during the turn
    int other_lost              # the opponent's such points


cdef inline int line_mask(const BeastyState *s, int player) noexcept nogil:
    """Returns the species that `player` has in line."""
    cdef int mask = 0, place
    for place in range(s.line_size):
        if owner_of(s.line[place]) == player:
            mask |= 1 << species_of(s.line[place])
    return mask


cdef inline double set_points(int mask, int skunk_extra) noexcept nogil:
    return <double>MASK_POINTS[mask] + (skunk_extra if mask >> SKUNK & 1 else 0)


cdef double material(const Turn *t, double bar, double front, int skunk_extra) noexcept nogil:
    """Returns E: points times weight, over all visible cards of the position after the turn."""
    cdef const BeastyState *s = t.after
    cdef double total, p, points
    cdef int place, card
    total = bar * (set_points(s.bar[t.player], skunk_extra) - set_points(s.bar[t.other], skunk_extra))
    total -= 0.5 * (set_points(s.thatsit[t.player], skunk_extra) - set_points(s.thatsit[t.other], skunk_extra))
    total += 0.1 * set_points(s.hand[t.player], skunk_extra)
    for place in range(s.line_size):
        card = s.line[place]
        p = 1.0 - <double>place / s.line_size
        points = POINTS[species_of(card)] + (skunk_extra if species_of(card) == SKUNK else 0)
        points *= front * p + 0.3 * (1.0 - p)
        total += points if owner_of(card) == t.player else -points
    return total


cdef inline int place_of(const BeastyState *s, int card) noexcept nogil:
    """Returns the place of a card in line, or 5."""
    cdef int place
    for place in range(s.line_size):
        if s.line[place] == card:
            return place
    return 5


cdef double card_bonus(const Turn *t) noexcept nogil:
    """Returns A: the bonus for the card played."""
    cdef int mine = t.player * NUM_SPECIES, place, my_gain, other_gain, acts_as
    cdef double bonus = 0.0
    if t.card == SKUNK:
        if t.other_lost >= 5:
            return 3.0
        if t.other_lost >= 3:
            return 1.5
        return -2.0 if t.other_lost == 0 and t.my_lost > 0 else 0.0
    if t.card == PARROT:
        if t.target < 0:
            return 0.0
        bonus = 0.5 * POINTS[species_of(t.target)]
        return bonus if owner_of(t.target) == t.other else -bonus
    if t.card == LION:
        return 2.0 if place_of(t.after, mine + LION) == 0 else 0.0
    if t.card == MONKEY:
        return 2.5 if t.other_lost >= 4 else 0.0
    if t.card == SEAL:
        my_gain = <int>MASK_POINTS[t.after.bar[t.player]] - MASK_POINTS[t.before.bar[t.player]]
        other_gain = <int>MASK_POINTS[t.after.bar[t.other]] - MASK_POINTS[t.before.bar[t.other]]
        return 1.5 if my_gain > other_gain else -1.0 if my_gain < other_gain else 0.0
    if t.card == SNAKE:
        if MASK_COUNT[line_mask(t.after, t.player)] > MASK_COUNT[line_mask(t.before, t.player)]:
            for place in range(min(t.after.line_size, 2)):
                if owner_of(t.after.line[place]) == t.player:
                    bonus += 0.5 * POINTS[species_of(t.after.line[place])]
        return bonus
    if t.card == ZEBRA:
        return 1.5 if line_mask(t.after, t.other) & BULLIES else -0.5
    if t.card == KANGAROO:
        return 1.0 if place_of(t.after, mine + KANGAROO) <= 1 else 0.0
    if t.card == GIRAFFE:
        place = place_of(t.after, mine + GIRAFFE)
        return 1.5 if place == 0 else 0.5 if place == 1 else 0.0
    if t.card == CROCODILE:
        return 0.3 * t.other_lost
    if t.card == CHAMELEON:
        acts_as = ACTION_PARTS[t.action].acts_as
        return 0.0 if acts_as == NO_SPECIES else 0.1 * (12 - acts_as)
    return 0.0


cdef double reaction(const Turn *t) noexcept nogil:
    """Returns R: what the card played reacts to in the line before it."""
    cdef const BeastyState *s = t.before
    cdef int mine = line_mask(s, t.player), theirs = line_mask(s, t.other), species, strongest, net
    cdef int other_unplayed = s.hand[t.other], k
    for k in range(s.deck_size[t.other]):
        other_unplayed |= 1 << s.deck[t.other][k]
    if t.card == CROCODILE:
        if (mine | theirs) >> CHAMELEON & 1:
            return 5.0
        return -1.0 if other_unplayed >> CHAMELEON & 1 else 0.0
    if t.card == SKUNK:
        species = (mine | theirs) & ~(1 << SKUNK)
        strongest = species & -species
        species ^= strongest
        if species == 0:
            return -1.5
        strongest |= species & -species
        net = <int>MASK_POINTS[theirs & strongest] - MASK_POINTS[mine & strongest]
        return 4.0 if net >= 4 else 2.0 if net >= 2 else -3.0 if net <= -2 else 0.0
    if t.card == LION:
        if theirs >> LION & 1:
            return -5.0
        return -2.0 if other_unplayed >> LION & 1 else 3.0
    if t.card == PARROT and t.target >= 0:
        if owner_of(t.target) == t.player:
            return -0.5 * POINTS[species_of(t.target)]
        return 0.3 * POINTS[species_of(t.target)] + 2.0 * (1.0 - <double>t.target_place / s.line_size)
    return 0.0


cdef double line_quality(const BeastyState *s, int player) noexcept nogil:
    """Returns Q: points weighted by place. The opponent's count -0.6 times."""
    cdef double total = 0.0, value
    cdef int place
    for place in range(s.line_size):
        value = PLACE_WEIGHTS[place] * POINTS[species_of(s.line[place])]
        total += value if owner_of(s.line[place]) == player else -0.6 * value
    return total


cdef double outcome_score(const Turn *t, const OutcomeWeights *w) noexcept nogil:
    """Returns O: what the turn changed, and a bonus for the card played."""
    cdef const BeastyState *before = t.before
    cdef const BeastyState *after = t.after
    cdef int before_theirs = line_mask(before, t.other), after_theirs = line_mask(after, t.other), fall, table, place
    cdef double score
    score = w.mybar * (<int>MASK_POINTS[after.bar[t.player]] - MASK_POINTS[before.bar[t.player]])
    score += w.oppbar * (<int>MASK_POINTS[after.bar[t.other]] - MASK_POINTS[before.bar[t.other]])
    score += w.myout * t.my_lost + w.oppout * t.other_lost
    score += w.q * (line_quality(after, t.player) - line_quality(before, t.player))
    for place in range(min(after.line_size, 2)):
        if owner_of(after.line[place]) == t.player:
            score += w.front
            break
    fall = <int>MASK_COUNT[before_theirs & THREATS] - MASK_COUNT[after_theirs & THREATS]
    if fall > 0:
        score += w.threat * fall
    if t.card == PARROT and t.target >= 0:
        if owner_of(t.target) == t.player:
            score -= 0.8 * POINTS[species_of(t.target)]
        else:
            score += w.parrot * POINTS[species_of(t.target)] + 0.5 * (1.0 - <double>t.target_place / before.line_size)
            score += 1.5 if THREATS >> species_of(t.target) & 1 else 0.0
            score += 1.0 if RECURRING >> species_of(t.target) & 1 else 0.0
    elif t.card == SKUNK:
        score += w.skunk * (t.other_lost - t.my_lost)
    elif t.card == MONKEY:
        if MASK_COUNT[after_theirs & BULLIES] < MASK_COUNT[before_theirs & BULLIES]:
            score += w.monkey
        if before_theirs >> MONKEY & 1:
            score += 0.8 * w.monkey
    table = before.line_size
    for place in range(2):
        table += MASK_COUNT[before.bar[place]] + MASK_COUNT[before.thatsit[place]]
    if table <= 3 and RECURRING >> t.card & 1:
        score += w.early
    if table >= 8 and (t.card == PARROT or t.card == SKUNK or t.card == CROCODILE):
        score += w.late
    return score


cdef Turn turn_of(const BeastyState *before, const BeastyState *after, int action) noexcept nogil:
    """Returns the turn that leads from one position to the other, as its player sees it."""
    cdef ActionParts parts = ACTION_PARTS[action]
    cdef Turn t
    t.before = before
    t.after = after
    t.player = before.to_move
    t.other = 1 - before.to_move
    t.action = action
    t.card = parts.card
    t.target_place = parts.choice
    t.target = before.line[parts.choice] if parts.card == PARROT and parts.choice >= 0 else -1
    t.my_lost = <int>MASK_POINTS[after.thatsit[t.player]] - MASK_POINTS[before.thatsit[t.player]]
    t.other_lost = <int>MASK_POINTS[after.thatsit[t.other]] - MASK_POINTS[before.thatsit[t.other]]
    return t


# -- what each opponent scores a turn by ------------------------------------------------------------------------------

ctypedef double (*Score)(const Turn *t) noexcept nogil

cdef double heuristic(const Turn *t) noexcept nogil:
    return material(t, 2.0, 1.1, 0) + card_bonus(t)

cdef double aggressive(const Turn *t) noexcept nogil:
    return material(t, 3.0, 1.1, 0) + card_bonus(t)

cdef double defensive(const Turn *t) noexcept nogil:
    return material(t, 1.0, 1.1, 0) + card_bonus(t)

cdef double queue(const Turn *t) noexcept nogil:
    return material(t, 2.0, 2.0, 0) + card_bonus(t)

cdef double skunk_lover(const Turn *t) noexcept nogil:
    return material(t, 2.0, 1.1, POINTS[SKUNK]) + card_bonus(t)

cdef double online(const Turn *t) noexcept nogil:
    return material(t, 2.0, 1.1, 0) + reaction(t)

cdef double outcome_heuristic(const Turn *t) noexcept nogil:
    return outcome_score(t, &OUTCOME_WEIGHTS)

cdef double distilled_outcome(const Turn *t) noexcept nogil:
    return outcome_score(t, &DISTILLED_WEIGHTS)


# -- the table: names, numbers, counts and docs follow from it --------------------------------------------------------

Opponent = namedtuple("Opponent", ["name", "scoring", "is_default"])
cdef Score SCORES[MAX_OPPONENTS]
cdef double NOISES[MAX_OPPONENTS]   # standard deviation of the Gaussian draw that is added to each score
cdef list _rows = []


cdef int add(str name, Score score, str scoring, double noise=0.0, bint is_default=True) except -1:
    """Adds a row. An opponent's number is its place here, and NULL in place of a score plays at random."""
    assert len(_rows) < MAX_OPPONENTS
    SCORES[len(_rows)] = score
    NOISES[len(_rows)] = noise
    _rows.append(Opponent(name, scoring, is_default))
    return 0

add("random", NULL, "none: each legal action is as likely as the others")
add("heuristic", heuristic, "E + A")
add("aggressive", aggressive, "E + A, with 3.0 as the bar's weight in E")
add("defensive", defensive, "E + A, with 1.0 as the bar's weight in E")
add("queue", queue, "E + A, with 2.0 as the weight of the line's front in E")
add("skunk", skunk_lover, "E + A, with a skunk's points doubled in E, whoever owns it and wherever it is")
add("noisy", heuristic, "E + A + a Gaussian draw of standard deviation 0.15, another for each action", noise=0.15)
add("online", online, "E + R")
add("outcome_heuristic", outcome_heuristic, "O, with the first row of its weights")
add("distilled_outcome", distilled_outcome, "O, with the second row")

TABLE = tuple(_rows)
OPPONENTS = tuple([row.name for row in TABLE])
DEFAULT_OPPONENTS = tuple([row.name for row in TABLE if row.is_default])


cdef void score_actions(
    int opponent, const BeastyState *s, const int16_t *actions, int count, double *scores
) noexcept nogil:
    """Fills an opponent's scores of these actions, without its noise. All are equal where it plays at random."""
    cdef Score score = SCORES[opponent]
    cdef BeastyState after
    cdef Turn turn
    cdef int k
    for k in range(count):
        scores[k] = 0.0
        if score != NULL:
            after = s[0]
            resolve_turn(&after, actions[k])
            turn = turn_of(s, &after, actions[k])
            scores[k] = score(&turn)


cdef bint plays_one_rule(int opponent) noexcept nogil:
    """Returns whether an opponent leaves only ties to chance."""
    return SCORES[opponent] != NULL and NOISES[opponent] == 0.0


cdef double noise_of(int opponent) noexcept nogil:
    """Returns the standard deviation of what an opponent adds to each score."""
    return NOISES[opponent]


cdef int opponent_action(int opponent, const BeastyState *s, Stream *stream) noexcept nogil:
    """Returns an opponent's action for the player to move. Ties are broken at random. -1: the game is over."""
    cdef int16_t actions[MAX_LEGAL]
    cdef double scores[MAX_LEGAL]
    cdef double best = -1e300
    cdef int count = legal_actions(s, actions), k, ties = 0
    if count == 0:
        return -1
    if count == 1:
        return actions[0]
    score_actions(opponent, s, actions, count, scores)
    for k in range(count):
        if NOISES[opponent] > 0.0:
            scores[k] += NOISES[opponent] * next_normal(stream)
        if scores[k] > best:
            best = scores[k]
    for k in range(count):
        ties += is_tied(scores[k], best)
    ties = next_below(stream, ties) if ties > 1 else 0
    for k in range(count):
        if is_tied(scores[k], best):
            if ties == 0:
                return actions[k]
            ties -= 1
    return actions[0]


cdef void opponent_policy(int opponent, const BeastyState *s, float *probabilities) noexcept nogil:
    """Fills the probability of each action id with which an opponent plays it. All are 0 when the game is over."""
    cdef int16_t actions[MAX_LEGAL]
    cdef double scores[MAX_LEGAL]
    cdef double best = -1e300
    cdef int count = legal_actions(s, actions), k, ties = 0
    memset(probabilities, 0, NUM_ACTIONS * sizeof(float))
    score_actions(opponent, s, actions, count, scores)
    for k in range(count):
        best = max(best, scores[k])
    for k in range(count):
        ties += is_tied(scores[k], best)
    for k in range(count):
        if NOISES[opponent] > 0.0:
            probabilities[actions[k]] = <float>chance_to_win(scores, count, k, NOISES[opponent])
        elif is_tied(scores[k], best):
            probabilities[actions[k]] = <float>(1.0 / ties)


cdef double chance_to_win(const double *scores, int count, int chosen, double noise) noexcept nogil:
    """Returns how likely the chosen score is the highest once each has its own Gaussian draw added.

    It is the integral over the chosen one's draw z of phi(z) times, for every other score, Phi(z + lead / noise).
    """
    cdef double total = 0.0, product
    cdef int point, k
    for point in range(POINTS_OF_NOISE):
        product = weight_of_noise(point)
        for k in range(count):
            if k != chosen:
                product *= below_noise(point, (scores[chosen] - scores[k]) / noise)
        total += product
    return total
