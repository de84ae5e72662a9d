"""An attention processor that spells Eq. (4) out."""

import math


class ExplicitSoftmax:
    """Eq. (4) spelt out: keeps logits and probabilities (B, A, P, L) of every call."""

    def __init__(self):
        self.logits, self.probabilities = [], []

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, attention_mask=None,
                 temb=None):
        context = hidden_states if encoder_hidden_states is None else encoder_hidden_states

        def heads(x):
            return x.unflatten(-1, (attn.heads, -1)).transpose(1, 2)
        query, key, value = (
            heads(attn.to_q(hidden_states)), heads(attn.to_k(context)), heads(attn.to_v(context)))
        logits = query @ key.transpose(2, 3) / math.sqrt(query.shape[-1])
        if attention_mask is not None:
            logits = logits + attention_mask.unflatten(0, (len(logits), -1))
        probabilities = logits.softmax(dim=-1)
        if encoder_hidden_states is not None:
            self.logits.append(logits)
            self.probabilities.append(probabilities)
        mixed = (probabilities @ value).transpose(1, 2).flatten(2)
        return attn.to_out[1](attn.to_out[0](mixed))
