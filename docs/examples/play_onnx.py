"""A game of Beasty Bar between an exported network and a built-in opponent, without torch or the rest of the library.

    lit-trainer export --ckpt_path checkpoints/iter600.ckpt --out player
    python play_onnx.py player/model.onnx [SEED]

Needs onnxruntime, numpy and `sim_core`, which has the rules.
"""

import sys

import numpy as np
import onnxruntime

from sim_core import ACTIONS, GameBatch, get_game

OPPONENT = "outcome_heuristic"

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
seed = int(sys.argv[2]) if len(sys.argv) > 2 else 1
game = GameBatch(1, seed=seed)  # a batch of one
told = {}
for given in session.get_inputs():
    if given.name == "condition":  # the network can be told who it plays
        told["condition"] = np.zeros((1, given.shape[1]), np.float32)
        told["condition"][0, get_game("beasty_bar").opponents.index(OPPONENT)] = 1.0
while not game.is_terminal[0]:
    if game.to_move[0] == 0:
        logits, value = session.run(["logits", "value"], {"observations": game.observe(), **told})
        action = int(np.where(game.legal_mask(), logits, -np.inf).argmax())
        print(f"network plays {ACTIONS[action]}, win chance {50 + 50 * value[0]:.0f} %")
    else:
        action = int(game.opponent_actions(OPPONENT, seed)[0])
        print(f"opponent plays {ACTIONS[action]}")
    game.step([action])
network, opponent = game.scores()[0]
print(f"{network} to {opponent} points for the network")
