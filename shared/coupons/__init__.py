"""Offers and the coupons issued from them: each coupon owns its state, and conditions make double redemption impossible."""
